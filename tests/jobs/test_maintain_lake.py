"""Upkeep on a small lake: events, the activity that is built from them, and the log of runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.project import Project, load_project
from conf.tables.gold import RFM
from conf.tables.ops import RUNS
from conf.tables.silver import ACTIVITY, EVENTS
from jobs.build_profiles import activity_stage
from jobs.maintain_lake import Tidied, detail_of, file_size, maintain_lake, tidy
from jobs.runtime.lake import Lake, append, append_to_files, ensure_table, fetch, table_name, version_of
from jobs.runtime.run_log import StageRecord, read_run_log, write_record
from jobs.runtime.stage import Outcome, Run, run_stage
from tests.jobs.lookup.few_rows import ANA, CARD, day, event

MakeRun = Callable[[], Run]


@pytest.fixture(scope="module")
def project() -> Project:
    """Files that are no longer current may go at once."""
    declared = load_project()
    return replace(declared, settings=declared.settings.model_copy(update={"keep_files": "0h"}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three events in three files, in a table that is not clustered yet."""
    lake = Lake(str(tmp_path / "lake"))
    for number in (1, 2, 3):
        append_to_files(f"{lake.root}/silver/events", EVENTS, [event(f"e{number}", ANA, day(number))])
    return lake


def last_written(lake: Lake) -> datetime:
    """What time it is, by the lake: ages of files are told from when they were written."""
    written = max(path.stat().st_mtime for path in Path(str(lake.root)).rglob("*.json"))
    return datetime.fromtimestamp(written, tz=timezone.utc)


def deliver(spark: SparkSession, lake: Lake, *rows: dict[str, Any]) -> None:
    append(lake, EVENTS, spark.createDataFrame([tuple(row[name] for name in EVENTS.column_names) for row in rows], EVENTS.schema))


@pytest.fixture
def new_run(spark: SparkSession, lake: Lake, project: Project) -> MakeRun:
    def made() -> Run:
        now = last_written(lake)
        return Run(project, lake, f"run-{now:%H%M%S%f}", now, read_run_log(None, lake), lambda: spark, as_of=day(20))

    return made


def build(run: Run) -> Outcome:
    return run_stage(run, activity_stage(run.project))


def days_of(lake: Lake, who: str) -> list[int]:
    rows = fetch(None, lake, ACTIVITY.name, ("identifier_id", "activity_on")).to_pylist()
    return sorted(row["activity_on"].day for row in rows if row["identifier_id"] == who)


def maintain(run: Run) -> dict[str, Tidied]:
    return {line.table: line for line in maintain_lake(run)}


def test_upkeep_compacts_clusters_and_removes_changes_no_row_and_leaves_nothing_to_do(
    spark: SparkSession, lake: Lake, new_run: MakeRun
) -> None:
    build(new_run())
    before = {name: fetch(None, lake, name, ("*",)).to_pylist() for name in (EVENTS.name, ACTIVITY.name)}
    line = maintain(new_run())[EVENTS.name]
    assert (line.files_before, line.files_after, line.removed, line.kept_hours, line.why_kept) == (3, 1, 3, 0, "")
    for name, rows in before.items():
        kept = fetch(None, lake, name, ("*",)).to_pylist()
        assert sorted(map(str, kept)) == sorted(map(str, rows))
    detail = spark.sql(f"DESCRIBE DETAIL {table_name(lake, EVENTS.name)}").collect()[0]
    assert tuple(detail["clusteringColumns"]) == EVENTS.cluster_by
    assert not build(new_run()).ran
    rows_of_runs = fetch(None, lake, RUNS.name, ("counts", "started_at")).to_pylist()
    counted = [row["counts"] for row in sorted(rows_of_runs, key=lambda row: row["started_at"])]
    assert ["inserted" in counts for counts in counted] == [True, False]  # so that sums over runs stay what they are


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


def test_replaced_rows_are_marked_only_where_the_contract_says_so(spark: SparkSession, new_run: MakeRun, tmp_path: Path) -> None:
    lake, key = Lake(str(tmp_path)), "delta.enableDeletionVectors"
    append_to_files(f"{lake.root}/silver/events", EVENTS, [event(f"e{number}", ANA, day(number)) for number in (1, 2, 3)])
    append_to_files(f"{lake.root}/silver/activity", replace(ACTIVITY, deletion_vectors=False), [])
    name = table_name(lake, EVENTS.name)
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('{key}' = 'true')")  # as engines make it that take it for granted
    spark.sql(f"UPDATE {name} SET channel = 'web' WHERE event_id = 'e1'")
    before = sorted(map(str, fetch(None, lake, EVENTS.name, ("*",)).to_pylist()))
    assert marked_files(lake) == 1
    maintain_lake(replace(new_run(), lake=lake))
    assert marked_files(lake) == 0
    assert sorted(map(str, fetch(None, lake, EVENTS.name, ("*",)).to_pylist())) == before
    said = {
        table.name: DeltaTable(f"{lake.root}/{table.name.replace('.', '/')}").metadata().configuration[key]
        for table in (EVENTS, ACTIVITY)
    }
    assert said == {EVENTS.name: "false", ACTIVITY.name: "true"}


def marked_files(lake: Lake) -> int:
    """Files of events with rows that are marked as replaced."""
    return sum(batch.num_rows for batch in DeltaTable(f"{lake.root}/silver/events").deletion_vectors())


def test_a_file_that_a_stage_has_yet_to_read_stays(spark: SparkSession, lake: Lake, new_run: MakeRun) -> None:
    build(new_run())
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


@pytest.mark.parametrize(("number", "kept"), [(6, "0 seconds"), (7, "7 days")], ids=["too old to be read", "file is gone"])
def test_a_stage_that_fell_behind_a_vacuum_recomputes_all_keys(
    spark: SparkSession, lake: Lake, new_run: MakeRun, number: int, kept: str
) -> None:
    build(new_run())
    deliver(spark, lake, event(f"e{number}", CARD, day(number)))
    events = table_name(lake, EVENTS.name)
    spark.sql(f"OPTIMIZE {events}")
    spark.sql(f"ALTER TABLE {events} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 seconds')")
    with file_size(spark, EVENTS.file_mib):
        spark.sql(f"VACUUM {events}")
    spark.sql(f"ALTER TABLE {events} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval {kept}')")
    outcome = build(new_run())
    assert outcome.counts["change_feed"] == "lost: all keys"
    assert (days_of(lake, ANA), days_of(lake, CARD)) == ([1, 2, 3], [number])


def test_nothing_waits_for_a_stage_of_what_is_no_longer_declared(
    spark: SparkSession, lake: Lake, new_run: MakeRun, project: Project
) -> None:
    now = last_written(lake)
    for stage in ("build-activity", "build-consents"):
        write_record(spark, lake, StageRecord("r", stage, "done", "", None, "", {EVENTS.name: 0}, {}, {}, now, 1.0))
    assert "build-activity has read" in maintain(new_run())[EVENTS.name].why_kept
    deliver(spark, lake, event("e4", ANA, day(4)))
    build(new_run())
    plain = replace(project, profile=project.profile.model_copy(update={"consents": ()}))
    assert maintain(replace(new_run(), project=plain))[EVENTS.name].why_kept == ""


def test_old_runs_leave_the_log_and_a_stages_last_one_stays(spark: SparkSession, lake: Lake, new_run: MakeRun) -> None:
    build(new_run())
    long_ago = last_written(lake) - timedelta(days=400)
    for stage, age in (("build-activity", 0), ("a stage of its own", 0), ("a stage of its own", 1)):
        record = StageRecord(f"old-{age}", stage, "done", "", None, "", {}, {}, {}, long_ago - timedelta(days=age), 1.0)
        write_record(spark, lake, record)
    maintain(new_run())
    rows = fetch(None, lake, RUNS.name, ("run_id", "stage"), "run_id like 'old-%'").to_pylist()
    assert rows == [{"run_id": "old-0", "stage": "a stage of its own"}]


def test_a_lake_that_is_not_there_is_left_alone(new_run: MakeRun, tmp_path: Path) -> None:
    assert maintain_lake(replace(new_run(), lake=Lake(str(tmp_path)), log=read_run_log(None, Lake(str(tmp_path))))) == []
