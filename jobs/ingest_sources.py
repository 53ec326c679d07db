"""Ingest: new files into bronze, and bronze into silver records, events and quarantine, each exactly once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project, fingerprint
from conf.source import Source
from conf.tables.bronze import bronze_table
from conf.tables.contract import Table
from conf.tables.silver import EVENTS, QUARANTINE, RECORDS
from jobs.runtime.lake import (
    CHANGE_FEED_COLUMNS,
    changed_rows,
    ensure_table,
    exists,
    read,
    table_name,
    types_of,
    union,
    version_of,
)
from jobs.runtime.landing import Delivery, check_columns, new_deliveries, read_delivery
from jobs.runtime.merge import merge
from jobs.runtime.run_log import StageRecord, files_read, make_lake, make_schemas, salt_of, write_files, write_record
from jobs.runtime.scratch import HELD_ROWS, compute_once
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from transforms.sources.raw import SALT, first_deliveries, in_columns, one_spelling, raw_column_names, with_row_hash
from transforms.sources.standardise import (
    WINS_OVER_TARGET,
    accepted,
    contract_of,
    quarantined,
    standardise,
    winning_versions,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, Row


EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SMALL_DELIVERY = 1_000_000
"""Bytes of new files of a source up to which their rows are expected to be few."""
SOURCES_AT_A_TIME = 4
"""Sources that are worked on side by side: small ones mostly wait for the driver, not for the cores."""


def ingest_sources(run: Run) -> list[Outcome]:
    """Brings new files to bronze, and what changed there to silver."""
    return [ingest_bronze(run), run_stage(run, silver_stage(run.project))]


def ingest_bronze(run: Run) -> Outcome:
    """Reads the files that are new, as they came, into ``bronze.<source>``; a row that is there already stays once."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    settings = run.project.settings
    known = files_read(run.session_if_needed(), run.lake)
    deliveries = new_deliveries(run.project.sources, settings.landing, known)
    held = _columns_held(run, deliveries)
    if not deliveries:
        _check_mappings(run, held, {})
        return Outcome("ingest-bronze", False, "no new files", time.monotonic() - clock, {})
    spark = run.spark
    with ThreadPoolExecutor(SOURCES_AT_A_TIME) as pool:
        frames = list(pool.map(lambda d: read_delivery(spark, d, run.started_at, held[d.source.source]), deliveries))
        _check_mappings(run, held, {d.source.source: frame for d, frame in zip(deliveries, frames, strict=True)})
        make_schemas(spark, run.lake)
        made = pool.submit(make_lake, spark, run.lake, settings, run.started_at)
        written = list(pool.map(lambda d, frame: _write_bronze(run, d, frame), deliveries, frames))
        made.result()
    counts = {d.source.source: {"files": len(d.files), **numbers} for d, numbers in zip(deliveries, written, strict=True)}
    write_files(run.spark, run.lake, [file.key for d in deliveries for file in d.files], run.run_id)
    seconds = time.monotonic() - clock
    record = StageRecord(
        run.run_id, "ingest-bronze", "done", "new files", None, "", {}, {}, counts, started, seconds
    )  # fmt: skip
    write_record(run.spark, run.lake, record)
    run.log.last[record.stage] = record
    return Outcome("ingest-bronze", True, "new files", seconds, counts)


def _columns_held(run: Run, deliveries: list[Delivery]) -> dict[str, tuple[str, ...]]:
    """The raw columns that bronze has, of the sources that deliver; of all where mappings are new to silver."""
    last = run.log.last_done("ingest-silver")
    is_mapped = last is not None and last.fingerprint == _fingerprint(run.project)
    names = [source.source for source in ([d.source for d in deliveries] if is_mapped else run.project.sources)]
    session = run.session_if_needed()
    return {name: raw_column_names(types_of(session, run.lake, bronze_table(name).name)) for name in names}


def _check_mappings(run: Run, held: dict[str, tuple[str, ...]], frames: dict[str, DataFrame | None]) -> None:
    """Every raw column that a mapping names must be known: from new files, from bronze, or declared. Nothing is known yet of
    a source that has delivered only empty files.
    """
    for source in run.project.sources:
        frame = frames.get(source.source)
        found = held.get(source.source, ()) if frame is None else frame.columns
        if found:
            check_columns(source, found)


def _write_bronze(run: Run, delivery: Delivery, frame: DataFrame | None) -> dict[str, int]:
    if frame is None:
        return {"read": 0, "kept": 0, "repeated": 0}
    table = bronze_table(delivery.source.source, raw_column_names(frame.columns))
    is_small = sum(file.bytes for file in delivery.files) <= SMALL_DELIVERY
    landed = with_row_hash(frame)
    hashed, held = compute_once(run.spark, run.lake, f"landed_{delivery.source.source}", landed, is_small)
    read_count = hashed.count() if held is None else held.num_rows
    kept = merge(run.spark, run.lake, table, first_deliveries(hashed), insert_only=True, few=held is not None)["inserted"]
    return {"read": read_count, "kept": kept, "repeated": read_count - kept}


def silver_stage(project: Project) -> Stage:
    """Bronze to silver. Its keys are the new bronze rows themselves, since bronze rows never change."""
    return Stage(
        name="ingest-silver",
        reads=tuple(f"bronze.{source.source}" for source in project.sources),
        writes=(EVENTS.name, RECORDS.name, QUARANTINE.name),
        fingerprint=_fingerprint,
        body=_standardise_changes,
    )


def _fingerprint(project: Project) -> str:
    """Of the identity rules only what reaches a row: a limit is no reason to map all of bronze again."""
    namespaces = [f"{n.name}:{n.normalise}:{n.region}" for n in project.identity.namespaces]
    currency = (project.segments.currency,) if project.segments.currency else ()
    return fingerprint(project.sources, *namespaces, project.identity.blocked, project.settings.future_tolerance, *currency)


def _standardise_changes(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, project = run.spark, run.lake, run.project
    salt = F.broadcast(salt_of(spark, lake).withColumnRenamed("salt", SALT))
    counts: dict[str, dict[str, int]] = {}
    parts: dict[str, list[DataFrame]] = {EVENTS.name: [], RECORDS.name: [], QUARANTINE.name: []}

    def standardised(source: Source) -> tuple[DataFrame, pa.Table | None] | None:
        rows = _bronze_rows(run, source, changes)
        if rows is None:
            return None
        tolerance, currency = project.settings.future_tolerance_seconds, project.segments.currency
        mapped = standardise(rows.crossJoin(salt), source, project.identity, tolerance, currency)
        few = not changes.everything and _rows_of_last_delivery(run, source) <= HELD_ROWS
        return compute_once(spark, lake, f"standardised_{source.source}", mapped, few)

    with ThreadPoolExecutor(SOURCES_AT_A_TIME) as pool:
        results = list(pool.map(standardised, project.sources))
        for source, result in zip(project.sources, results, strict=True):
            if result is not None:
                rows, held = result
                number = rows.count() if held is None else held.num_rows
                counts[source.source] = {"rows": number, "new": 0, "changed": 0, "quarantined": 0}
                parts[contract_of(source).name].append(winning_versions(accepted(rows, source), source))
                parts[QUARANTINE.name].append(quarantined(rows, source))
        tables = (EVENTS, RECORDS, QUARANTINE)
        before = {table.name: version_of(run.session_if_needed(), lake, table.name) for table in tables}
        few = not changes.everything and sum(numbers["rows"] for numbers in counts.values()) <= HELD_ROWS
        list(pool.map(lambda table: _merge_silver(run, table, parts[table.name], changes.everything, few), tables))
    written = _written_by_source(run, before)
    _count_by_source(written, counts)
    return {"sources": counts, "latest_event": _latest_event(run, before[EVENTS.name], written)}


def _bronze_rows(run: Run, source: Source, changes: Changes) -> DataFrame | None:
    """The rows to map; a declared column that bronze lacks is null."""
    name = f"bronze.{source.source}"
    rows = changes.feeds.get(name)
    if rows is not None:
        rows = rows.where("_change_type = 'insert'").drop(*CHANGE_FEED_COLUMNS)
    elif changes.everything and exists(run.session_if_needed(), run.lake, name):
        rows = run.spark.table(table_name(run.lake, name))
    return None if rows is None else in_columns(rows, one_spelling((*rows.columns, *source.columns)))


def _rows_of_last_delivery(run: Run, source: Source) -> int:
    """How many rows of a source bronze last kept: about as many as are new to silver, unless a run between the two failed."""
    last = run.log.last_done("ingest-bronze")
    return int(last.counts.get(source.source, {}).get("kept", 0)) if last else 0


def _merge_silver(run: Run, table: Table, frames: list[DataFrame], everything: bool, few: bool) -> None:
    if not frames and not everything:
        ensure_table(run.spark, run.lake, table)
        return
    rows = union(frames) if frames else run.spark.createDataFrame([], table.schema)
    if everything:
        merge(run.spark, run.lake, table, rows)
    elif table.name == QUARANTINE.name:
        merge(run.spark, run.lake, table, rows, insert_only=True, few=few)
    else:
        merge(run.spark, run.lake, table, rows, update_when=WINS_OVER_TARGET, delete_missing=False, few=few)


def _written_by_source(run: Run, before: dict[str, int]) -> list[Row]:
    """What the change feeds of the tables just written tell since ``before``: how many rows of a source were changed in each
    way, and the time of the latest event among them, in microseconds.
    """
    frames = []
    for name, version in before.items():
        feed = changed_rows(run.spark, run.lake, name, max(version, 0), version_of(run.session_if_needed(), run.lake, name))
        if feed is not None:
            at = F.unix_micros("occurred_at") if name == EVENTS.name else F.lit(None).cast("bigint")
            frames.append(feed.select(F.lit(name).alias("table"), "source", "_change_type", at.alias("at")))
    if not frames:
        return []
    alike = union(frames).groupBy("table", "source", "_change_type")
    return alike.agg(F.count("*").alias("rows"), F.max("at").alias("at")).collect()


def _count_by_source(written: list[Row], counts: dict[str, dict[str, int]]) -> None:
    """Adds to ``counts``, by source, what was written: new, changed, quarantined and gone rows; the rest of the rows looked at
    are ``older`` versions, or what is there already.
    """
    words = {"insert": "new", "update_postimage": "changed", "delete": "gone"}
    for row in written:
        word = words.get(row["_change_type"])
        if word:
            word = "quarantined" if row["table"] == QUARANTINE.name and word == "new" else word
            of_source = counts.setdefault(row["source"], {})
            of_source[word] = of_source.get(word, 0) + row["rows"]
    for numbers in counts.values():
        told = numbers.get("new", 0) + numbers.get("changed", 0) + numbers.get("quarantined", 0)
        numbers["older"] = max(numbers.get("rows", 0) - told, 0)


def _latest_event(run: Run, before: int, written: list[Row]) -> str | None:
    """The time of the latest event: the one that the stage's last run found, or a later one that was written since.

    Where that run left another version than the one found (``before``), or its latest event is gone or changed, it is looked
    up: the newest day from the table's statistics, then only that day's files.
    """
    last = run.log.last_done("ingest-silver")
    known = last.counts.get("latest_event") if last and last.outputs.get(EVENTS.name) == before else None
    if known is not None:
        moment = (datetime.fromisoformat(known) - EPOCH) // timedelta(microseconds=1)
        of_events = [row for row in written if row["table"] == EVENTS.name]
        if not any(row["at"] >= moment for row in of_events if row["_change_type"] in ("delete", "update_preimage")):
            return _as_text(max([moment, *(row["at"] for row in of_events)]))
    events = read(run.spark, run.lake, EVENTS)
    day = events.agg(F.max("occurred_on")).collect()[0][0]
    if day is None:
        return None
    latest = events.where(F.col("occurred_on") == F.lit(day)).agg(F.max(F.unix_micros("occurred_at"))).collect()[0][0]
    return _as_text(latest)


def _as_text(micros: int) -> str:
    return (EPOCH + timedelta(microseconds=micros)).isoformat()
