from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from jobs.lookup.key_files import KeyFiles, is_plain

STRUCTURE = "id string, seen_at timestamp, told map<string, timestamp>, origins array<struct<source: string, at: timestamp>>"
DAY = datetime(1600, 2, 29, 12, tzinfo=timezone.utc)
"""Out of reach of nanoseconds, which begin in 1677."""


def rows(spark: SparkSession, numbers: range) -> DataFrame:
    """Each id three times, far apart, and some rows without one."""
    days = [DAY + timedelta(days=number) for number in numbers]
    ids = [None if number % 50 == 0 else f"{number % 100:032x}" for number in numbers]
    data = [(one, day, {"web": day}, [("web", day)]) for one, day in zip(ids, days, strict=True)]
    return spark.createDataFrame(data, STRUCTURE).coalesce(1)


def table(spark: SparkSession, place: Path, properties: str = "'delta.enableDeletionVectors' = 'true'", more: str = "") -> str:
    """A table whose file has many row groups."""
    spark.sql(f"CREATE TABLE delta.`{place}` ({STRUCTURE}) USING delta {more} TBLPROPERTIES ({properties})")
    append(place, rows(spark, range(300)))
    return str(place)


def append(place: Path, frame: DataFrame) -> None:
    writer = frame.write.format("delta").mode("append").option("mergeSchema", "true")
    writer.option("parquet.block.size", 512).option("parquet.block.size.row.check.min", 10).save(str(place))


def asked(place: str, columns: list[str], ids: list[str]) -> list[dict[str, object]]:
    held = DeltaTable(place)
    assert is_plain(held)
    return in_order(KeyFiles(held, place).rows(columns, "id", ids))


def by_spark(spark: SparkSession, place: str, columns: list[str], ids: list[str]) -> list[dict[str, object]]:
    held = spark.read.format("delta").load(place)
    return in_order(held.where(held["id"].isin(ids)).select(*columns).toArrow())


def in_order(found: pa.Table) -> list[dict[str, object]]:
    return sorted(found.to_pylist(), key=lambda row: str(row["seen_at"]))


ALL = ["id", "seen_at", "told", "origins"]
IDS = [f"{7:032x}", f"{61:032x}", f"{99:032x}"]


def test_rows_are_those_that_spark_finds(spark: SparkSession, tmp_path: Path) -> None:
    place = table(spark, tmp_path / "t")
    found = asked(place, ALL, IDS)
    assert len(found) == 9
    assert found == by_spark(spark, place, ALL, IDS)
    assert asked(place, ALL, [f"{100:032x}", "0", "g"]) == asked(place, ALL, []) == []


def test_rows_that_a_deletion_vector_marks_are_gone(spark: SparkSession, tmp_path: Path) -> None:
    place = table(spark, tmp_path / "t")
    spark.sql(f"DELETE FROM delta.`{place}` WHERE seen_at < TIMESTAMP '{DAY + timedelta(days=150):%Y-%m-%d}'")
    assert pa.table(DeltaTable(place).deletion_vectors()).num_rows == 1
    assert len(asked(place, ALL, IDS)) == 5
    assert asked(place, ALL, IDS) == by_spark(spark, place, ALL, IDS)


def test_a_column_that_came_later_is_null_in_older_files(spark: SparkSession, tmp_path: Path) -> None:
    place = table(spark, tmp_path / "t")
    append(tmp_path / "t", rows(spark, range(300, 400)).selectExpr("*", "1 AS score"))
    found = asked(place, ["seen_at", "score", "nowhere"], IDS)
    assert [(row["score"], row["nowhere"]) for row in found] == [(None, None)] * 9 + [(1, None)] * 3
    assert [row["score"] for row in found] == [row["score"] for row in by_spark(spark, place, ["seen_at", "score"], IDS)]


@pytest.mark.parametrize("told", ["in the log", "in the files alone"])
def test_files_that_cannot_hold_an_id_are_not_opened(spark: SparkSession, tmp_path: Path, told: str) -> None:
    statistics = "" if told == "in the log" else ", 'delta.dataSkippingStatsColumns' = 'seen_at'"
    place = table(spark, tmp_path / "t", f"'delta.enableDeletionVectors' = 'false'{statistics}")
    (old,) = DeltaTable(place).file_uris()
    append(tmp_path / "t", spark.createDataFrame([("z", DAY, None, None)], STRUCTURE))
    Path(old).unlink()
    if told == "in the log":
        assert len(asked(place, ALL, ["z"])) == 1
    else:  # the footer is asked, and there is none
        with pytest.raises(FileNotFoundError):
            asked(place, ALL, ["z"])


@pytest.mark.parametrize(
    ("properties", "more"),
    [("'delta.columnMapping.mode' = 'name'", ""), ("'delta.appendOnly' = 'false'", "PARTITIONED BY (id)")],
    ids=["renamed columns", "partitions"],
)
def test_files_that_tell_not_all_columns_by_their_names_are_not_plain(
    spark: SparkSession, tmp_path: Path, properties: str, more: str
) -> None:
    assert not is_plain(DeltaTable(table(spark, tmp_path / "t", properties, more)))
