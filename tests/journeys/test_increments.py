"""Promise 1: whatever the batches and their order, the lake ends like one that was built at once."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.project import Project, load_project
from conf.tables.ops import RUNS
from jobs.cli import main
from jobs.runtime.lake import open_lake, read_rows, table_name
from tests.journeys.lakes import Place, assert_same_contents, contents, contents_of, copy_of, rebuilt_tables, versions

CATALOG = {"catalog": "spark_catalog", "schema_prefix": "increments_"}


@pytest.fixture(scope="module")
def at_once(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return copy_of(built, tmp_path_factory.mktemp("increments"))


@pytest.fixture(scope="module")
def day_by_day(spark: SparkSession, at_once: Place) -> Iterator[Project]:
    """A lake that got the same files in three deliveries, in shuffled order, and was trained again on the way. It has table
    names instead of paths.

    Both share their models, so the lake that was built at once takes over whoever is champion now.
    """
    landing = at_once.landing.with_name("arriving")
    settings = yaml.safe_load((at_once.conf / "env" / "test.yml").read_text())
    del settings["lake"]
    (at_once.conf / "env" / "names.yml").write_text(yaml.safe_dump({**settings, **CATALOG, "landing": str(landing)}))
    project = load_project(at_once.conf, "names")
    files = sorted(path for path in at_once.landing.rglob("*") if path.is_file() and path.parent.name in _sources(project))
    random.Random(20170101).shuffle(files)
    for name in _sources(project):
        (landing / name).mkdir(parents=True)
    try:
        for part, options in ((files[::3], ()), (files[1::3], ("--train",)), (files[2::3], ())):
            for path in part:
                shutil.copy2(path, landing / path.relative_to(at_once.landing))
            assert main(["run", *options, "--conf", str(at_once.conf), "--env", "names"]) == 0
        assert at_once.run("run") == 0
        yield project
    finally:
        for schema in ("bronze", "silver", "gold", "ops"):
            spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{CATALOG['schema_prefix']}{schema} CASCADE")


def _sources(project: Project) -> list[str]:
    return [source.source for source in project.sources]


@pytest.mark.compat
def test_days_in_any_order_give_by_name_the_lake_that_is_built_at_once(
    spark: SparkSession, at_once: Place, day_by_day: Project
) -> None:
    held = contents(spark, open_lake(day_by_day.settings), day_by_day)
    assert_same_contents(contents_of(spark, at_once), held)


@pytest.mark.compat
def test_views_have_the_rows_of_their_tables(spark: SparkSession, day_by_day: Project) -> None:
    lake = open_lake(day_by_day.settings)
    for view, of in {"gold.customers": "gold.customer_360", "gold.customer_events": "silver.events"}.items():
        rows = spark.table(table_name(lake, view)).count()
        assert rows == spark.table(table_name(lake, of)).count() > 0


def test_rows_read_are_kept_or_repeated_and_kept_rows_are_new_changed_or_quarantined(
    spark: SparkSession, day_by_day: Project
) -> None:
    counts, landing = _counts_of_all_runs(spark, day_by_day), Path(day_by_day.settings.landing)
    assert set(counts) == {name for name in _sources(day_by_day) if any((landing / name).iterdir())}
    for source, numbers in counts.items():
        assert numbers["read"] == numbers["kept"] + numbers["repeated"], source
        assert numbers["kept"] == numbers["rows"], source
        assert numbers["rows"] == numbers["new"] + numbers["changed"] + numbers["quarantined"] + numbers["older"], source
    assert counts["pos"]["repeated"] > 0
    assert counts["pos"]["quarantined"] > 0


def _counts_of_all_runs(spark: SparkSession, project: Project) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for row in read_rows(spark, open_lake(project.settings), RUNS):
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


def test_one_more_day_writes_only_rows_that_changed(spark: SparkSession, built: Place, next_day: Place) -> None:
    before, runs = versions(built), read_rows(None, open_lake(next_day.project().settings), RUNS)
    last = max((row for row in runs if row["stage"] == "resolve-identities"), key=lambda row: row["started_at"])
    assert 0 < json.loads(last["counts"])["identities"]["inserted"] < 30
    silver, gold = ("identities", "activity", "profile_attributes"), ("rfm", "rfm_scores", "customer_360")
    names = [*(f"silver.{table}" for table in silver), *(f"gold.{table}" for table in gold)]
    changed = {name: _rows_that_differ(spark, next_day, name, before[name]) for name in names}
    assert {name: _written_since(spark, next_day, name, before[name]) for name in names} == changed
    assert changed["gold.customer_360"] > 0


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
