from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.lake import Lake
from jobs.runtime.scratch import clear_scratch, compute_once, hold, scratch

KINDS = """
    select id, cast(id as decimal(18,2)) money, timestamp_seconds(id) at, date_add(date '2017-01-01', cast(id as int)) day,
    map('of', cast(id as string)) tags, array(struct(id as one, cast(null as string) as other)) parts from range(3)
"""


def drawn(spark: SparkSession) -> DataFrame:
    """Two rows of chance: computed twice, they are others. Spark's own chance is drawn once for a plan."""
    chance = F.udf(lambda: uuid4().hex).asNondeterministic()
    return spark.range(2).select("id", chance().alias("chance"))


def test_few_rows_are_held_as_they_are_and_nothing_is_written(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.sql(KINDS)
    once, held = compute_once(spark, Lake(str(tmp_path)), "kinds", rows, few=True)
    assert held is not None
    assert held.num_rows == 3
    assert once.schema == rows.schema
    assert sorted(once.collect()) == sorted(rows.collect())
    assert list(tmp_path.iterdir()) == []


def test_more_rows_than_were_expected_are_written_down(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.runtime.scratch.HELD_ROWS", 2)
    rows = spark.sql(KINDS)
    once, held = compute_once(spark, Lake(str(tmp_path)), "kinds", rows, few=True)
    assert held is None
    assert (tmp_path / "_scratch" / "kinds").is_dir()
    assert sorted(once.collect()) == sorted(rows.collect())


@pytest.mark.parametrize("few", [False, True])
def test_what_is_computed_once_stays_as_it_was(spark: SparkSession, tmp_path: Path, few: bool) -> None:
    once, _ = compute_once(spark, Lake(str(tmp_path)), "drawn", drawn(spark), few)
    assert once.collect() == once.collect()
    rows = drawn(spark)
    assert rows.collect() != rows.collect()


def test_held_rows_are_computed_once_and_more_of_them_wherever_they_are_used(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(spark, drawn(spark), few=True)
    assert held.collect() == held.collect()
    assert sorted(hold(spark, spark.sql(KINDS), few=True).collect()) == sorted(spark.sql(KINDS).collect())
    monkeypatch.setattr("jobs.runtime.scratch.HELD_ROWS", 1)
    for rows in (hold(spark, drawn(spark), few=True), hold(spark, drawn(spark), few=False)):
        assert rows.count() == 2
        assert rows.collect() != rows.collect()


def test_what_was_written_down_is_removed(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    compute_once(spark, lake, "drawn", drawn(spark), few=False)
    clear_scratch(lambda: spark, lake)
    assert list(tmp_path.iterdir()) == []


def test_of_what_was_written_down_in_object_storage_nothing_stays(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(f"file://{tmp_path}/lake")
    for _ in range(2):
        rows = [scratch(spark, lake, name, spark.sql(KINDS)) for name in ("kinds", "others")]
        assert [frame.count() for frame in rows] == [3, 3]
        clear_scratch(lambda: spark, lake)
        kept = [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
        assert {path.parent for path in kept} == {tmp_path / "lake" / "_scratch"}
        assert sum(path.stat().st_size for path in kept if not path.name.endswith(".crc")) == 0
