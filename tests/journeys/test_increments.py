"""Promise 1: whatever the batches and their order, the lake ends like one that was built at once."""

from __future__ import annotations

import json
import random
import shutil
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.tables.ops import RUNS
from jobs.runtime.lake import open_lake, read_rows, table_name
from jobs.sample.write_sample import write_sample
from tests.journeys.lakes import Place, assert_same_lake, make_place, rebuilt_tables, versions

HOUSEHOLDS, DAYS = 60, 8


@pytest.fixture(scope="module")
def at_once(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake that was built from all days in one run; it trains the champion that the others use."""
    place = make_place(tmp_path_factory.mktemp("increments"))
    write_sample(place.landing, DAYS, HOUSEHOLDS)
    assert place.run("run") == 0
    return place


@pytest.fixture(scope="module")
def day_by_day(at_once: Place) -> Place:
    """A lake that got the same files in three deliveries, in shuffled order, and was trained again on the way.

    Both share their models, so the lake that was built at once takes over whoever is champion now.
    """
    folder = at_once.conf.parent
    place = make_place(folder, lake="increments", landing=folder / "arriving")
    files = sorted(path for path in at_once.landing.rglob("*") if path.is_file() and path.parent.name in _sources(at_once))
    random.Random(20170101).shuffle(files)
    for name in _sources(at_once):
        (place.landing / name).mkdir(parents=True)
    for part, options in ((files[::3], ()), (files[1::3], ("--train",)), (files[2::3], ())):
        for path in part:
            shutil.copy2(path, place.landing / path.relative_to(at_once.landing))
        assert place.run("run", *options) == 0
    assert at_once.run("run") == 0
    return place


def _sources(place: Place) -> list[str]:
    return [source.source for source in place.project().sources]


def test_days_in_any_order_give_the_lake_that_is_built_at_once(spark: SparkSession, at_once: Place, day_by_day: Place) -> None:
    assert_same_lake(spark, at_once, day_by_day)


def test_rows_read_are_kept_or_repeated_and_kept_rows_are_new_changed_or_quarantined(
    spark: SparkSession, day_by_day: Place
) -> None:
    counts = _counts_of_all_runs(spark, day_by_day)
    assert set(counts) == {name for name in _sources(day_by_day) if any((day_by_day.landing / name).iterdir())}
    for source, numbers in counts.items():
        assert numbers["read"] == numbers["kept"] + numbers["repeated"], source
        assert numbers["kept"] == numbers["rows"], source
        assert numbers["rows"] == numbers["new"] + numbers["changed"] + numbers["quarantined"] + numbers["older"], source
    assert counts["pos"]["repeated"] > 0
    assert counts["pos"]["quarantined"] > 0


def _counts_of_all_runs(spark: SparkSession, place: Place) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for row in read_rows(None, open_lake(place.project().settings), RUNS):
        counts: dict[str, Any] = json.loads(row["counts"])
        parts = counts if row["stage"] == "ingest-bronze" else counts.get("sources", {})
        if row["stage"].startswith("ingest-"):
            for source, numbers in parts.items():
                for name, number in numbers.items():
                    into = total.setdefault(source, {})
                    into[name] = into.get(name, 0) + number
    return total


def test_a_run_with_nothing_new_runs_no_stage_and_writes_no_version(at_once: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = versions(at_once)
    stages = at_once.run_json(capsys, "run")["stages"]
    assert [stage["stage"] for stage in stages if stage["ran"]] == []
    assert versions(at_once) == before


def test_a_full_refresh_changes_nothing(at_once: Place) -> None:
    before = versions(at_once)
    assert at_once.run("run", "--full-refresh") == 0
    assert versions(at_once) == before


def test_one_more_day_writes_only_rows_that_changed(
    spark: SparkSession, at_once: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    before = versions(at_once)
    write_sample(at_once.landing, 1)
    stages = {stage["stage"]: stage for stage in at_once.run_json(capsys, "run")["stages"]}
    assert stages["resolve-identities"]["counts"]["identities"]["inserted"] < 30
    silver, gold = ("identities", "activity", "profile_attributes"), ("rfm", "rfm_scores", "customer_360")
    for name in (*(f"silver.{table}" for table in silver), *(f"gold.{table}" for table in gold)):
        written = _written_since(spark, at_once, name, before[name])
        changed = _rows_that_differ(spark, at_once, name, before[name])
        assert written == changed, name


def _written_since(spark: SparkSession, place: Place, name: str, version: int) -> int:
    """Rows inserted, updated and deleted since, from Delta's own operation metrics."""
    history = spark.sql(f"DESCRIBE HISTORY {table_name(open_lake(place.project().settings), name)}")
    commits = history.where(f"version > {version}").select("operation", "operationMetrics").collect()
    of_merge = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
    return sum(
        int(commit.operationMetrics.get(name, 0))
        for commit in commits
        for name in (of_merge if commit.operation == "MERGE" else ("numOutputRows",))
    )


def _rows_that_differ(spark: SparkSession, place: Place, name: str, version: int) -> int:
    """Keys whose row is not what it was at that version."""
    lake = open_lake(place.project().settings)
    path = f"{lake.root}/{name.replace('.', '/')}"
    then = _comparable(spark.read.format("delta").option("versionAsOf", version).load(path))
    now = _comparable(spark.read.format("delta").load(path))
    table = next(table for table in rebuilt_tables(place.project()) if table.name == name)
    new_or_other = now.exceptAll(then).select(*table.keys)
    gone_or_other = then.exceptAll(now).select(*table.keys)
    return new_or_other.union(gone_or_other).distinct().count()


def _comparable(rows: DataFrame) -> DataFrame:
    """Maps as their sorted entries: sets of rows with maps cannot be compared."""
    maps = {field.name: F.array_sort(F.map_entries(field.name)) for field in rows.schema if isinstance(field.dataType, T.MapType)}
    return rows.withColumns(maps) if maps else rows
