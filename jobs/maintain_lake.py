"""``c360 maintain``: what keeps look-ups quick and storage small. No row changes, and no stage loses what it has yet to read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from conf.project import Project
from conf.tables.contract import LOOKED_UP, Table
from conf.tables.declared import declared_tables
from conf.tables.ops import RUNS
from jobs.runtime.command import Commands, print_json, show_progress, waiting_option, writing_run
from jobs.runtime.lake import Lake, exists, local_path, table_name, version_of
from jobs.runtime.run_log import StageRecord, write_record
from jobs.runtime.stage import Run
from jobs.runtime.text_table import text_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MIB = 1024 * 1024
ROW_GROUP_MIB = 2
ROW_GROUP_ROWS, PAGE_ROWS = 4096, 512
"""Where somebody waits for single keys: whoever reads one row decodes a whole page, or a group, of each column. Spark before
4.1 knows no such bound, and has that of the size alone."""
RANGES = 16_384
"""Ranges of each key by which rows are laid out, 1,000 where nothing is said: rows of one range lie in any order, so that a key
is looked for in all row groups of its range."""
TABLES_AT_A_TIME = 4
LISTING_TASKS = 8
DEFAULT_RETENTION = f"interval {7 * 24 * 3600} seconds"
IS_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ
MARGIN = timedelta(hours=1)
"""Between a file's age and a stage's place: clocks of storage and of the log differ."""
LOG_KEPT = timedelta(days=30)
"""How long Delta keeps its log: a stage that is further behind reads all keys, whatever VACUUM leaves."""
REMEMBERED = ("latest_event", "model")
"""What a stage's next run asks of the counts of its last one."""
UPKEEP = ("OPTIMIZE", "REORG", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "CLUSTER BY")
"""Operations in a table's history that change no row."""


@dataclass(frozen=True)
class Tidied:
    """One table's line of the report. ``kept_hours``: how old a file that is no longer current had to be to go."""

    table: str
    files_before: int
    files_after: int
    mib_before: float
    mib_after: float
    removed: int
    kept_hours: int
    why_kept: str


def maintain_lake(run: Run, report: Callable[[str], None] = lambda text: None) -> list[Tidied]:
    """Compacts and clusters every table, removes files that nobody needs any more, and trims the log of runs."""
    tables = [table for table in declared_tables(run.project) if exists(run.session_if_needed(), run.lake, table.name)]
    before = {table.name: version_of(run.session_if_needed(), run.lake, table.name) for table in tables}
    tidied: dict[str, Tidied] = {}
    after: dict[str, int] = {}
    for mib in sorted({table.file_mib for table in tables}):
        report(f"tables in files of {mib} MiB")
        same_size = [table for table in tables if table.file_mib == mib]
        with file_size(run.spark, mib), ThreadPoolExecutor(TABLES_AT_A_TIME) as pool:
            for line, version in pool.map(lambda table: _maintain_table(run, table, before[table.name]), same_size):
                tidied[line.table], after[line.table] = line, version
    _trim_runs(run)
    _carry_over(run, before, after)
    return [tidied[table.name] for table in tables]


def _maintain_table(run: Run, table: Table, before: int) -> tuple[Tidied, int]:
    """Its line of the report, and up to which version nothing but upkeep has been committed since ``before``."""
    spark, lake = run.spark, run.lake
    kept, why = _kept(run, table, before)
    detail = detail_of(spark, lake, table)
    _settle_deletion_vectors(spark, lake, table, detail)
    optimised = tidy(spark, lake, table, detail)
    _vacuum(spark, lake, table, detail, kept)
    since = _history(spark, lake, table, before)
    removed = sum(int((row["operationMetrics"] or {}).get("numDeletedFiles", 0)) for row in since)
    files = detail["numFiles"] + optimised["numFilesAdded"] - optimised["numFilesRemoved"]
    size = detail["sizeInBytes"] + (optimised["bytesAdded"] or 0) - (optimised["bytesRemoved"] or 0)
    hours = int(kept.total_seconds() // 3600)
    line = Tidied(table.name, detail["numFiles"], files, detail["sizeInBytes"] / MIB, size / MIB, removed, hours, why)
    is_only_upkeep = all(row["operation"] in UPKEEP for row in since)
    return line, max((row["version"] for row in since), default=before) if is_only_upkeep else before


def _settle_deletion_vectors(spark: SparkSession, lake: Lake, table: Table, detail: dict[str, Any]) -> None:
    """Replaced rows are marked, or not, as the contract says, whatever the table was made with."""
    key, value = "delta.enableDeletionVectors", str(table.deletion_vectors).lower()
    if not table.deletion_vectors and detail["properties"].get(key) == "true":
        spark.sql(f"REORG TABLE {table_name(lake, table.name)} APPLY (PURGE)")  # no file with marks is left
    _set_property(spark, lake, table, detail, key, value, default="false")


def tidy(spark: SparkSession, lake: Lake, table: Table, detail: dict[str, Any]) -> dict[str, int]:
    """Clusters the table as its contract says, in files of the size that :func:`file_size` has set; what lies right already
    is left alone. Files and bytes added and removed.
    """
    name = table_name(lake, table.name)
    if detail["clusteringColumns"] != list(table.cluster_by):
        spark.sql(f"ALTER TABLE {name} CLUSTER BY {'(' + ', '.join(table.cluster_by) + ')' if table.cluster_by else 'NONE'}")
    if IS_DATABRICKS:  # it takes the size from the table
        _set_property(spark, lake, table, detail, "delta.targetFileSize", f"{table.file_mib}mb")
    numbers = ["numFilesAdded", "numFilesRemoved"]
    sizes = [
        f"metrics.{kind}.totalSize as {name}" for kind, name in (("filesAdded", "bytesAdded"), ("filesRemoved", "bytesRemoved"))
    ]
    row = spark.sql(f"OPTIMIZE {name}").selectExpr(*(f"metrics.{number}" for number in numbers), *sizes).collect()[0]
    return dict(row.asDict())


@contextmanager
def file_size(spark: SparkSession, mib: int) -> Iterator[None]:
    """While it lasts, OPTIMIZE makes files of that size, and small ones with row groups of which a reader can skip most."""
    is_looked_up = mib <= LOOKED_UP
    settings = {
        "spark.databricks.delta.optimize.maxFileSize": str(mib * MIB),
        "spark.databricks.io.skipping.mdc.sortWithinFiles": "true",
        # VACUUM lists a table's few folders with as many tasks as this says: 10,000 where it says nothing.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(LISTING_TASKS),
        "parquet.block.size": str(ROW_GROUP_MIB * MIB if is_looked_up else 128 * MIB),
        "parquet.block.row.count.limit": str(ROW_GROUP_ROWS if is_looked_up else 2**31 - 1),
        "parquet.page.row.count.limit": str(PAGE_ROWS if is_looked_up else 20_000),
        "spark.databricks.io.skipping.mdc.rangeId.max": str(RANGES if is_looked_up else 1000),
    }
    settings = {} if IS_DATABRICKS else settings  # it refuses them
    before = {key: spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, former in before.items():
            if former is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, former)


def _kept(run: Run, table: Table, current: int) -> tuple[timedelta, str]:
    """How old a file has to be to be removed: older than is declared, and than what a stage has yet to read; and which
    stage that is.
    """
    declared = run.project.settings.files_kept
    read_to = {stage: r.inputs[table.name] for stage, r in run.log.last.items() if table.name in r.inputs}
    places = [(version, stage) for stage, version in read_to.items() if _is_declared(stage, run.project)]
    behind = [(version, stage) for version, stage in places if version < current]
    if not behind:
        return declared, ""
    version, stage = min(behind)
    unread = min(row["timestamp"] for row in _history(run.spark, run.lake, table, version))
    age = min(run.started_at - unread.astimezone(timezone.utc) + MARGIN, LOG_KEPT)
    return (age, f"{stage} has read up to version {version}") if age > declared else (declared, "")


def _is_declared(stage: str, project: Project) -> bool:
    """A stage of what is no longer declared reads no more, and nothing waits for it."""
    optional = {
        "match-records": project.identity.matching,
        "build-consents": project.profile.consents,
        "predict-purchases": project.predictions,
    }
    return bool(optional.get(stage, True))


def _vacuum(spark: SparkSession, lake: Lake, table: Table, detail: dict[str, Any], kept: timedelta) -> None:
    """Removes files that are no longer current and older than ``kept``."""
    # Not `RETAIN n HOURS`: other values than 0 are ignored there.
    retention = f"interval {int(kept.total_seconds())} seconds"
    _set_property(spark, lake, table, detail, "delta.deletedFileRetentionDuration", retention, DEFAULT_RETENTION)
    if not _has_nothing_to_remove(lake, table, kept):
        spark.sql(f"VACUUM {table_name(lake, table.name)}")


def _has_nothing_to_remove(lake: Lake, table: Table, kept: timedelta) -> bool:
    """Whether a look at a folder of this machine, which takes milliseconds, says that VACUUM can be left out."""
    path = local_path(lake, table.name)
    if path is None:
        return False
    from deltalake import DeltaTable

    hours = int(kept.total_seconds() // 3600)
    return not DeltaTable(str(path)).vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False)


def _set_property(
    spark: SparkSession, lake: Lake, table: Table, detail: dict[str, Any], key: str, value: str, default: str = ""
) -> None:
    if detail["properties"].get(key, default) != value:
        spark.sql(f"ALTER TABLE {table_name(lake, table.name)} SET TBLPROPERTIES ('{key}' = '{value}')")


def detail_of(spark: SparkSession, lake: Lake, table: Table) -> dict[str, Any]:
    """Files, bytes, clustering columns and properties of a table."""
    detail = spark.sql(f"DESCRIBE DETAIL {table_name(lake, table.name)}")
    return dict(detail.select("numFiles", "sizeInBytes", "clusteringColumns", "properties").collect()[0].asDict())


def _history(spark: SparkSession, lake: Lake, table: Table, after: int) -> list[dict[str, Any]]:
    """What was committed since a version."""
    history = spark.sql(f"DESCRIBE HISTORY {table_name(lake, table.name)}").where(f"version > {after}")
    return [row.asDict() for row in history.select("version", "timestamp", "operation", "operationMetrics").collect()]


def _trim_runs(run: Run) -> None:
    """Drops rows of ``ops.runs`` that are older than is declared; each stage's last finished row is its memory and stays."""
    if not exists(run.session_if_needed(), run.lake, RUNS.name):
        return
    last = " OR ".join(f"(stage = '{stage}' AND run_id = '{record.run_id}')" for stage, record in run.log.last.items())
    until = f"{run.started_at - run.project.settings.runs_kept:%Y-%m-%d %H:%M:%S}"
    is_old = f"started_at < timestamp'{until}'"
    run.spark.sql(f"DELETE FROM {table_name(run.lake, RUNS.name)} WHERE {is_old} AND NOT ({last or 'false'})")


def _carry_over(run: Run, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Notes for each stage that had read a table to its end that it still has: upkeep makes versions without changes.

    So the next run has nothing to do, and asks for no change feed that VACUUM may have taken.
    """
    for record in list(run.log.last.values()):
        moved = {n: after[n] for n, version in record.inputs.items() if n in after and version == before[n] != after[n]}
        if moved:
            write_record(run.spark, run.lake, _moved(run, record, moved))


def _moved(run: Run, record: StageRecord, inputs: Mapping[str, int]) -> StageRecord:
    now = datetime.now(timezone.utc)
    counts = {name: record.counts[name] for name in REMEMBERED if name in record.counts}  # of rows none was counted again
    read_to = {**record.inputs, **inputs}
    renamed = replace(record, run_id=run.run_id, why="upkeep: no row changed", started_at=now, seconds=0.0)
    return replace(renamed, inputs=read_to, outputs={}, counts=counts)


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 maintain``."""
    parser = commands.add_parser(
        "maintain", parents=[common], help="compact, cluster and vacuum the tables; trim the log of runs"
    )
    waiting_option(parser)
    parser.set_defaults(command=_maintain)


def _maintain(options: argparse.Namespace) -> int:
    with writing_run(options, "maintain") as run:
        tidied = maintain_lake(run, show_progress)
        show_progress("")
    if options.json:
        print_json([asdict(line) for line in tidied])
        return 0
    header = ("table", "files", "then", "MiB", "then", "removed", "kept (h)", "because")
    print(text_table(header, [tuple(asdict(line).values()) for line in tidied]))
    return 0
