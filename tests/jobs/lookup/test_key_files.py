from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, WriterProperties, write_deltalake
from pyspark.sql import SparkSession

from jobs.lookup.key_files import KeyFiles, is_plain

ALL = ["id", "seen_at", "told", "origins"]
IDS = [f"{number:032x}" for number in (7, 61, 99)]
DAY = datetime(1600, 2, 29, 12, tzinfo=timezone.utc)
"""Out of reach of nanoseconds, which begin in 1677."""


def id_of(number: int) -> str | None:
    """Each id again and again, far apart, and some rows without one."""
    return None if number % 50 == 0 else f"{number % 100:032x}"


def write(place: Path, numbers: range, score: int | None = None, **options: Any) -> None:
    """Appends rows in row groups of ten."""
    columns = {"id": [id_of(number) for number in numbers], "number": list(numbers)}
    if score is not None:
        columns["score"] = [score] * len(numbers)
    in_tens = WriterProperties(max_row_group_size=10)
    write_deltalake(str(place), pa.table(columns), mode="append", schema_mode="merge", writer_properties=in_tens, **options)


def asked(place: Path, columns: list[str], ids: list[str], order: str = "number") -> list[dict[str, Any]]:
    found = KeyFiles(DeltaTable(str(place)), str(place)).rows(columns, "id", ids)
    return sorted(found.to_pylist(), key=lambda row: str(row[order]).zfill(30))


def test_rows_are_those_that_spark_finds_and_none_that_a_deletion_vector_marks(spark: SparkSession, tmp_path: Path) -> None:
    structure = "id string, seen_at timestamp, told map<string, timestamp>, origins array<struct<source: string, at: timestamp>>"
    days = [DAY + timedelta(days=number) for number in range(300)]
    data = [(id_of(number), day, {"web": day}, [("web", day)]) for number, day in enumerate(days)]
    name = f"delta.`{tmp_path}`"
    spark.sql(f"CREATE TABLE {name} ({structure}) USING delta TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    writer = spark.createDataFrame(data, structure).coalesce(1).write.format("delta").mode("append")
    writer.option("parquet.block.size", 512).option("parquet.block.size.row.check.min", 10).save(str(tmp_path))

    def as_spark_finds_them() -> list[dict[str, Any]]:
        held = spark.read.format("delta").load(str(tmp_path))
        return held.where(held["id"].isin(IDS)).orderBy("seen_at").toArrow().to_pylist()

    found = asked(tmp_path, ALL, IDS, "seen_at")
    assert found == as_spark_finds_them()
    assert len(found) == 9
    spark.sql(f"DELETE FROM {name} WHERE seen_at < TIMESTAMP '{days[150]:%Y-%m-%d}'")
    assert pa.table(DeltaTable(str(tmp_path)).deletion_vectors()).num_rows == 1
    assert asked(tmp_path, ALL, IDS, "seen_at") == as_spark_finds_them() == found[4:]


def test_an_id_that_nobody_has_is_in_no_row(tmp_path: Path) -> None:
    write(tmp_path, range(300))
    assert asked(tmp_path, ["number"], [f"{100:032x}", "0", "g"]) == asked(tmp_path, ["number"], []) == []


def test_a_column_that_came_later_is_null_in_older_files(tmp_path: Path) -> None:
    write(tmp_path, range(200))
    write(tmp_path, range(200, 300), score=5)
    found = asked(tmp_path, ["number", "score", "nowhere"], IDS[:1])
    assert [tuple(row.values()) for row in found] == [(7, None, None), (107, None, None), (207, 5, None)]


@pytest.mark.parametrize("told", ["in the log", "in the files alone"])
def test_a_file_that_cannot_hold_an_id_is_not_opened(tmp_path: Path, told: str) -> None:
    statistics = {} if told == "in the log" else {"delta.dataSkippingStatsColumns": "number"}
    write(tmp_path, range(1, 50), configuration=statistics)
    (low,) = DeltaTable(str(tmp_path)).file_uris()
    write(tmp_path, range(51, 100))
    Path(low).unlink()
    if told == "in the log":
        assert [row["number"] for row in asked(tmp_path, ["number"], IDS[1:])] == [61, 99]
    else:  # its footer has to tell
        with pytest.raises(FileNotFoundError):
            asked(tmp_path, ["number"], IDS[1:])


def test_files_of_partitions_do_not_tell_all_columns(tmp_path: Path) -> None:
    write(tmp_path / "whole", range(5))
    write(tmp_path / "parted", range(5), partition_by=["number"])
    assert [is_plain(DeltaTable(str(tmp_path / name))) for name in ("whole", "parted")] == [True, False]
