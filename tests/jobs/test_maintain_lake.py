"""Upkeep on a small lake: events, the activity that is built from them, and the log of runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.project import Project, load_project
from conf.tables.contract import Table
from conf.tables.gold import RFM
from conf.tables.ops import RUNS
from conf.tables.silver import ACTIVITY, EVENTS
from jobs.build_profiles import activity_stage
from jobs.maintain_lake import Tidied, _kept, _settle_deletion_vectors, detail_of, file_size, maintain_lake, tidy
from jobs.runtime.lake import Lake, append, append_to_files, ensure_table, fetch, table_name, version_of
from jobs.runtime.run_log import StageRecord, read_run_log, write_record
from jobs.runtime.stage import Outcome, Run, run_stage
from tests.jobs.lookup.few_rows import ANA, CARD, day, event

MakeRun = Callable[[], Run]
MARKS = "delta.enableDeletionVectors"


@pytest.fixture(scope="module")
def project() -> Project:
    """Files that are no longer current may go at once. Without measures activity is one table."""
    declared = load_project()
    settings = declared.settings.model_copy(update={"keep_files": "0h"})
    return replace(declared, settings=settings, profile=declared.profile.model_copy(update={"measures": ()}))


@pytest.fixture(scope="module")
def built(spark: SparkSession, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three events in three files, in a table that is not clustered yet; activity, built of them, in one that marks no rows."""
    lake = Lake(str(tmp_path_factory.mktemp("built") / "lake"))
    for number in (1, 2, 3):
        append_to_files(f"{lake.root}/silver/events", EVENTS, [event(f"e{number}", ANA, day(number))])
    append_to_files(f"{lake.root}/silver/activity", replace(ACTIVITY, deletion_vectors=False), [])
    build(run_of(spark, project, lake))
    return lake


@pytest.fixture
def lake(built: Lake, tmp_path: Path) -> Lake:
    """The same, for a test to change."""
    return copy_of(built, tmp_path)


def copy_of(lake: Lake, folder: Path) -> Lake:
    return Lake(str(shutil.copytree(str(lake.root), folder / "lake")))


def last_written(lake: Lake) -> datetime:
    """What time it is, by the lake: ages of files are told from when they were written."""
    written = max(path.stat().st_mtime for path in Path(str(lake.root)).rglob("*.json"))
    return datetime.fromtimestamp(written, tz=timezone.utc)


def deliver(spark: SparkSession, lake: Lake, *rows: dict[str, Any]) -> None:
    append(lake, EVENTS, spark.createDataFrame([tuple(row[name] for name in EVENTS.column_names) for row in rows], EVENTS.schema))


def run_of(spark: SparkSession, project: Project, lake: Lake) -> Run:
    now = last_written(lake)
    return Run(project, lake, f"run-{now:%H%M%S%f}", now, read_run_log(None, lake), lambda: spark, as_of=day(20))


@pytest.fixture
def new_run(spark: SparkSession, lake: Lake, project: Project) -> MakeRun:
    return lambda: run_of(spark, project, lake)


def build(run: Run) -> Outcome:
    return run_stage(run, activity_stage(run.project))


def days_of(lake: Lake, who: str) -> list[int]:
    rows = fetch(None, lake, ACTIVITY.name, ("identifier_id", "activity_on")).to_pylist()
    return sorted(row["activity_on"].day for row in rows if row["identifier_id"] == who)


def maintain(run: Run) -> dict[str, Tidied]:
    return {line.table: line for line in maintain_lake(run)}


@dataclass(frozen=True)
class Upkept:
    """A lake after upkeep, the report of it, and the rows of each table before."""

    lake: Lake
    lines: dict[str, Tidied]
    before: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def upkept(spark: SparkSession, project: Project, built: Lake, tmp_path_factory: pytest.TempPathFactory) -> Upkept:
    """The log of its runs has old ones, too."""
    lake = copy_of(built, tmp_path_factory.mktemp("upkept"))
    long_ago = last_written(lake) - timedelta(days=400)
    for stage, age in (("build-activity", 0), ("a stage of its own", 0), ("a stage of its own", 1)):
        record = StageRecord(f"old-{age}", stage, "done", "", None, "", {}, {}, {}, long_ago - timedelta(days=age), 1.0)
        write_record(spark, lake, record)
    before = {name: fetch(None, lake, name, ("*",)).to_pylist() for name in (EVENTS.name, ACTIVITY.name)}
    return Upkept(lake, maintain(run_of(spark, project, lake)), before)


def test_upkeep_compacts_clusters_and_removes_changes_no_row_and_leaves_nothing_to_do(
    spark: SparkSession, project: Project, upkept: Upkept
) -> None:
    lake, line = upkept.lake, upkept.lines[EVENTS.name]
    assert (line.files_before, line.files_after, line.removed, line.kept_hours, line.why_kept) == (3, 1, 3, 0, "")
    for name, rows in upkept.before.items():
        kept = fetch(None, lake, name, ("*",)).to_pylist()
        assert sorted(map(str, kept)) == sorted(map(str, rows))
    detail = spark.sql(f"DESCRIBE DETAIL {table_name(lake, EVENTS.name)}").collect()[0]
    assert tuple(detail["clusteringColumns"]) == EVENTS.cluster_by
    assert not build(run_of(spark, project, lake)).ran
    rows_of_runs = fetch(None, lake, RUNS.name, ("counts", "started_at"), "run_id like 'run-%'").to_pylist()
    counted = [row["counts"] for row in sorted(rows_of_runs, key=lambda row: row["started_at"])]
    assert ["inserted" in counts for counts in counted] == [True, False]  # so that sums over runs stay what they are


def test_old_runs_leave_the_log_and_a_stages_last_one_stays(upkept: Upkept) -> None:
    rows = fetch(None, upkept.lake, RUNS.name, ("run_id", "stage"), "run_id like 'old-%'").to_pylist()
    assert rows == [{"run_id": "old-0", "stage": "a stage of its own"}]


@pytest.mark.skipif(pyspark.__version__ < "4.1", reason="its Parquet bounds a group by size alone")
def test_tables_in_which_single_keys_are_looked_up_have_groups_of_few_rows(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    ensure_table(spark, lake, RFM)
    made = {"profile_id": "sha2(cast(id as string), 256)"}
    columns = [f"cast({made.get(c.name, '1')} as {c.type.simpleString()}) as {c.name}" for c in RFM.columns]
    for start in (0, 5000):
        append(lake, RFM, spark.range(start, start + 5000).selectExpr(*columns))
    with file_size(spark, RFM.file_mib):
        tidy(spark, lake, RFM, detail_of(spark, lake, RFM))
    (file,) = DeltaTable(f"{lake.root}/gold/rfm").file_uris()
    held = pq.ParquetFile(file).metadata
    assert [held.row_group(number).num_rows for number in range(held.num_row_groups)] == [4096, 4096, 1808]


def test_replaced_rows_are_marked_only_where_the_contract_says_so(spark: SparkSession, lake: Lake, upkept: Upkept) -> None:
    name = table_name(lake, EVENTS.name)
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('{MARKS}' = 'true')")  # as engines make it that take it for granted
    append_to_files(f"{lake.root}/silver/events", EVENTS, [event(f"e{number}", ANA, day(number)) for number in (4, 5)])
    spark.sql(f"UPDATE {name} SET channel = 'web' WHERE event_id = 'e4'")
    before = sorted(map(str, fetch(None, lake, EVENTS.name, ("*",)).to_pylist()))
    assert marked_files(lake) == 1
    _settle_deletion_vectors(spark, lake, EVENTS, detail_of(spark, lake, EVENTS))
    assert marked_files(lake) == 0
    assert sorted(map(str, fetch(None, lake, EVENTS.name, ("*",)).to_pylist())) == before
    assert (marks_rows(lake, EVENTS), marks_rows(lake, ACTIVITY)) == ("false", "false")
    assert (marks_rows(upkept.lake, EVENTS), marks_rows(upkept.lake, ACTIVITY)) == ("false", "true")


def marks_rows(lake: Lake, table: Table) -> str:
    """What the table says of itself."""
    return DeltaTable(f"{lake.root}/{table.name.replace('.', '/')}").metadata().configuration[MARKS]


def marked_files(lake: Lake) -> int:
    """Files of events with rows that are marked as replaced."""
    return sum(batch.num_rows for batch in DeltaTable(f"{lake.root}/silver/events").deletion_vectors())


def test_a_file_that_a_stage_has_yet_to_read_stays(spark: SparkSession, lake: Lake, new_run: MakeRun) -> None:
    read_up_to = version_of(None, lake, EVENTS.name)
    deliver(spark, lake, event("e4", ANA, day(4)))
    deliver(spark, lake, event("e5", CARD, day(4)))
    line = maintain(new_run())[EVENTS.name]
    assert (line.files_after, line.removed, line.kept_hours) == (1, 0, 1)
    assert line.why_kept == f"build-activity has read up to version {read_up_to}"
    outcome = build(new_run())
    assert (outcome.why, outcome.counts["keys"]) == ("changes in silver.events", 2)
    assert "change_feed" not in outcome.counts
    assert (days_of(lake, ANA), days_of(lake, CARD)) == ([1, 2, 3, 4], [4])


@pytest.fixture(scope="module")
def vacuumed(spark: SparkSession, built: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """An event came that no stage has read, and its file is gone."""
    lake = copy_of(built, tmp_path_factory.mktemp("vacuumed"))
    deliver(spark, lake, event("e6", CARD, day(6)))
    events = table_name(lake, EVENTS.name)
    spark.sql(f"OPTIMIZE {events}")
    keep_files(spark, lake, "0 seconds")
    with file_size(spark, EVENTS.file_mib):
        spark.sql(f"VACUUM {events}")
    return lake


def keep_files(spark: SparkSession, lake: Lake, kept: str) -> None:
    key = "delta.deletedFileRetentionDuration"
    spark.sql(f"ALTER TABLE {table_name(lake, EVENTS.name)} SET TBLPROPERTIES ('{key}' = 'interval {kept}')")


@pytest.mark.parametrize("kept", ["0 seconds", "7 days"], ids=["too old to be read", "file is gone"])
def test_a_stage_that_fell_behind_a_vacuum_recomputes_all_keys(
    spark: SparkSession, project: Project, vacuumed: Lake, tmp_path: Path, kept: str
) -> None:
    lake = copy_of(vacuumed, tmp_path)
    keep_files(spark, lake, kept)
    outcome = build(run_of(spark, project, lake))
    assert outcome.counts["change_feed"] == "lost: all keys"
    assert (days_of(lake, ANA), days_of(lake, CARD)) == ([1, 2, 3], [6])


def test_nothing_waits_for_a_stage_of_what_is_no_longer_declared(
    spark: SparkSession, lake: Lake, new_run: MakeRun, project: Project
) -> None:
    record = StageRecord("r", "build-consents", "done", "", None, "", {EVENTS.name: 0}, {}, {}, last_written(lake), 1.0)
    write_record(spark, lake, record)
    plain = replace(project, profile=project.profile.model_copy(update={"consents": ()}))
    current = version_of(None, lake, EVENTS.name)
    whys = [_kept(replace(new_run(), project=one), EVENTS, current)[1] for one in (project, plain)]
    assert whys == ["build-consents has read up to version 0", ""]


def test_a_lake_that_is_not_there_is_left_alone(new_run: MakeRun, tmp_path: Path) -> None:
    assert maintain_lake(replace(new_run(), lake=Lake(str(tmp_path)), log=read_run_log(None, Lake(str(tmp_path))))) == []
