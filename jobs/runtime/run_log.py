"""What ran: the rows of ``ops.runs``, ``ops.files`` and ``ops.lake``."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from conf.errors import ConfigurationError, LakeError
from conf.settings import Settings, resolve_secret
from conf.tables.ops import FILES, FORMAT_VERSION, LAKE, RUNS
from jobs.runtime.lake import Lake, append_rows, fetch, read_rows, to_json

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class StageRecord:
    """One stage of a run, as ``ops.runs`` keeps it. ``inputs`` and ``outputs`` are versions by table."""

    run_id: str
    stage: str
    outcome: str
    why: str
    as_of: datetime | None
    fingerprint: str
    inputs: dict[str, Any]
    outputs: dict[str, int]
    counts: dict[str, Any]
    started_at: datetime
    seconds: float


@dataclass(frozen=True)
class RunLog:
    """The last finished record of every stage, read once at the start of a process."""

    last: dict[str, StageRecord] = field(default_factory=dict)
    as_of: dict[str, datetime] = field(default_factory=dict)
    """The "now" that a run's first recorded stage fixed, by run id: its later stages have the same."""

    def last_done(self, stage: str) -> StageRecord | None:
        """The stage's last finished record; None where it never finished."""
        return self.last.get(stage)


def read_run_log(spark: SparkSession | None, lake: Lake) -> RunLog:
    """The last ``done`` row of each stage."""
    last: dict[str, StageRecord] = {}
    as_of: dict[str, datetime] = {}
    for row in read_rows(spark, lake, RUNS):
        record = _record(row)
        known = last.get(record.stage)
        if record.outcome == "done" and (known is None or known.started_at < record.started_at):
            last[record.stage] = record
        if record.as_of is not None:
            as_of[record.run_id] = min(record.as_of, as_of.get(record.run_id, record.as_of))
    return RunLog(last, as_of)


def _record(row: dict[str, Any]) -> StageRecord:
    values = dict(row)
    for name in ("inputs", "outputs", "counts"):
        values[name] = json.loads(values[name] or "{}")
    for name in ("as_of", "started_at"):
        moment = values[name]
        values[name] = moment.replace(tzinfo=timezone.utc) if moment is not None and moment.tzinfo is None else moment
    return StageRecord(**values)


def write_record(spark: SparkSession, lake: Lake, record: StageRecord) -> None:
    """Appends one stage's row to ``ops.runs``."""
    values = {**record.__dict__, **{n: to_json(getattr(record, n)) for n in ("inputs", "outputs", "counts")}}
    append_rows(spark, lake, RUNS, [values])


def files_read(spark: SparkSession | None, lake: Lake) -> set[tuple[str, str, int, int]]:
    """Every file that ingest has read to the end: source, path, bytes, modification time."""
    return {(r["source"], r["path"], r["bytes"], r["modified_at"]) for r in read_rows(spark, lake, FILES)}


def write_files(spark: SparkSession, lake: Lake, files: list[tuple[str, str, int, int]], run_id: str) -> None:
    """Notes that ingest has read these files to the end."""
    names = FILES.column_names
    append_rows(spark, lake, FILES, [dict(zip(names, (*file, run_id), strict=True)) for file in files])


def check_lake(spark: SparkSession | None, lake: Lake) -> None:
    """Raises LakeError where a newer version wrote the lake."""
    for row in read_rows(spark, lake, LAKE):
        if row["format_version"] > FORMAT_VERSION:
            raise LakeError(
                f"The lake {lake.root or lake.catalog} has format version {row['format_version']}; this version of "
                f"lakehouse-c360 knows up to {FORMAT_VERSION}. Nothing was changed: use the version that wrote it, or newer."
            )


def make_schemas(spark: SparkSession, lake: Lake) -> None:
    """Makes the schemas that a lake in a catalogue lacks."""
    if lake.catalog is not None:
        for schema in ("bronze", "silver", "gold", "ops"):
            spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{lake.catalog}`.`{lake.schema_prefix}{schema}`")


def make_lake(spark: SparkSession, lake: Lake, settings: Settings, now: datetime) -> None:
    """Gives a new lake its id, format version and salt (from the settings, or its own)."""
    if read_rows(spark, lake, LAKE):
        return
    row = (secrets.token_hex(8), FORMAT_VERSION, _salt(spark, settings), now)
    append_rows(spark, lake, LAKE, [dict(zip(LAKE.column_names, row, strict=True))])


def lake_id_of(spark: SparkSession | None, lake: Lake) -> str:
    """The lake's id; '' before it has one."""
    return next(iter(fetch(spark, lake, LAKE.name, ("lake_id",))["lake_id"].to_pylist()), "")


def _salt(spark: SparkSession, settings: Settings) -> str:
    if settings.salt is None:
        return secrets.token_hex(32)
    if settings.salt.secret is None:
        try:
            return resolve_secret(settings.salt, "salt")
        except ValueError as error:
            raise ConfigurationError([f"env: `{error}`"]) from None
    scope, key = settings.salt.secret.split("/")
    try:
        from pyspark.dbutils import DBUtils  # type: ignore[import-not-found]
    except ImportError:
        raise ConfigurationError([f"`salt`: secret: {scope}/{key} can only be read on Databricks; use env: NAME"]) from None
    return str(DBUtils(spark).secrets.get(scope, key))


def salt_of(spark: SparkSession, lake: Lake) -> DataFrame:
    """One row, one column ``salt``: joined in, never written into an expression, which plans and logs would print."""
    from jobs.runtime.lake import read

    return read(spark, lake, LAKE).select("salt")
