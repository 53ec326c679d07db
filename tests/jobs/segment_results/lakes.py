"""A lake with a history of segments, written without Spark: days are counted from 1 January 2017."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from conf.project import load_project
from conf.tables.contract import Table
from conf.tables.gold import SEGMENT_ASSIGNMENTS
from conf.tables.silver import ACTIVITY, IDENTITIES, IDENTITY_CHANGES
from jobs.runtime.lake import Lake
from jobs.runtime.run_log import read_run_log
from jobs.runtime.stage import Run

TYPES = {
    "timestamp": pa.timestamp("us", "UTC"), "date": pa.date32(), "bigint": pa.int64(), "boolean": pa.bool_(),
    "double": pa.float64(), "decimal(18,2)": pa.decimal128(18, 2), "decimal(18,3)": pa.decimal128(18, 3),
    "array<string>": pa.list_(pa.string()),
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """Somebody's segment from a day up to another one (None: still)."""

    who: str
    segment: str
    since: int
    until: int | None = None
    before: str | None = None
    reason: str = "first"


def evening(day: int) -> datetime:
    return datetime(2017, 1, 1, 20, tzinfo=timezone.utc) + timedelta(days=day)


def write_history(
    folder: Path,
    history: Sequence[Held],
    moved: Sequence[tuple[str, str, str | None, int]] = (),
    bought: Sequence[tuple[str, int, int]] = (),
) -> Path:
    """Assignments; identifiers that moved (identifier, from, to, day); purchases (identifier, day, money).

    Whoever is named has an identifier of that name, which today is where it moved last.
    """
    assignments = [
        {
            "profile_id": row.who, "valid_from": evening(row.since), "is_current": row.until is None,
            "valid_to": None if row.until is None else evening(row.until), "segment": row.segment,
            "previous_segment": row.before, "model_version": "1", "reason": row.reason,
        }
        for row in history
    ]  # fmt: skip
    changes = [
        {"identifier_id": who, "from_profile_id": start, "to_profile_id": end, "changed_at": evening(day), "reason": "merged"}
        for who, start, end, day in moved
    ]
    today = {who: who for who in sorted({row.who for row in history} | {who for who, *_ in bought} | {who for who, *_ in moved})}
    today |= {who: end for who, _, end, _ in sorted(moved, key=lambda move: move[3]) if end is not None}
    identities = [{"identifier_id": who, "namespace": "card", "component_id": to, "profile_id": to} for who, to in today.items()]
    activity = [
        {"identifier_id": who, "activity_on": evening(day).date(), "purchases": 1, "revenue": Decimal(money)}
        for who, day, money in bought
    ]
    for table, rows in (
        (SEGMENT_ASSIGNMENTS, assignments), (IDENTITY_CHANGES, changes), (IDENTITIES, identities), (ACTIVITY, activity),
    ):  # fmt: skip
        _write(folder, table, rows)
    return folder


def run_on(root: str, session: Any = None) -> Run:
    """A run that reads a lake; without a session none may be made."""
    lake = Lake(root)
    log = read_run_log(None, Lake(root.removeprefix("file://")))
    return Run(load_project(), lake, "a run", evening(0), log, session or _no_session)


def _write(folder: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([(c.name, TYPES.get(c.type.simpleString(), pa.string())) for c in table.columns])
    write_deltalake(folder.joinpath(*table.name.split(".")), pa.Table.from_pylist(rows, schema), mode="overwrite")


def _no_session() -> Any:
    raise AssertionError("Spark was started")
