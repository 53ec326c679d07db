"""Keys in, MERGE out: how every stage after ingest runs.

A stage remembers, in ``ops.runs``, up to which version of each input it has read. The change feed between that version
and the current one names the keys that may have changed; the stage's body recomputes those from the current tables and
merges what differs. Whatever else can change a result names all keys: a first build, an edited configuration, a moved
``as_of``, a change feed that VACUUM took, ``--full-refresh``. Versions are recorded only after the last MERGE, so a killed
stage starts again from where the last finished one was, and since a MERGE of the same rows changes nothing, ends as if it
had never been killed. Recorded positions instead of streaming checkpoints: docs/adr/0002.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project
from jobs.runtime.lake import Lake, changed_rows, union, version_of
from jobs.runtime.run_log import RunLog, StageRecord, write_record
from jobs.runtime.scratch import compute_once
from jobs.runtime.session import collect_leftovers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Run:
    """One run, or one stage's process: what is declared, where the lake is, and what "now" means.

    ``session`` makes the session when it is first needed; ``as_of`` is None until there is an event to take it from.
    ``train`` asks for a training, and ``approve`` for a person to promote what comes of it.
    """

    project: Project
    lake: Lake
    run_id: str
    started_at: datetime
    log: RunLog
    session: Callable[[], SparkSession]
    as_of: datetime | None = None
    full_refresh: bool = False
    train: bool = False
    approve: bool = False

    @property
    def spark(self) -> SparkSession:
        """The session, made at the first call."""
        return self.session()

    def session_if_needed(self) -> SparkSession | None:
        """None for a lake on this machine, whose versions are read without a session."""
        return None if self.lake.local_root is not None else self.session()


@dataclass(frozen=True)
class Changes:
    """What a stage has to look at: everything, or the changed rows of its inputs and the keys that they name.

    ``feeds`` has the inputs that changed since the stage last ran; ``keys`` is None for everything, and for a stage
    that declares none. ``few``: the driver holds the keys, so what is computed for them is likely to be little as well.
    """

    everything: bool
    feeds: dict[str, DataFrame] = field(default_factory=dict)
    keys: DataFrame | None = None
    few: bool = False

    def of_keys(self, rows: DataFrame) -> DataFrame:
        """The rows of a table that have one of the keys; all of them for everything.

        Of few keys they go to every task: a table that is joined with them is then read, and not shuffled. Spark takes
        them to be as many as the table has, and would not do that by itself.
        """
        if self.keys is None:
            return rows
        found = rows.join(F.broadcast(self.keys), self.keys.columns, "left_semi")
        return F.broadcast(found) if self.few else found


EVERYTHING = Changes(everything=True)
EARLIER = "an earlier as_of only reads (--full-refresh goes back)"


@dataclass(frozen=True)
class Stage:
    """A stage: what it reads (names of tables), what it writes, and what of the configuration it depends on.

    ``keys`` turns the changed rows of the inputs into one frame of keys, repeats allowed; without it, the body works on the
    changed rows themselves. ``body`` recomputes, merges, and returns counts. ``extra_inputs`` are versions of what is no
    table.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    fingerprint: Callable[[Project], str]
    body: Callable[[Run, Changes], dict[str, Any]]
    keys: Callable[[Run, dict[str, DataFrame]], DataFrame] | None = None
    uses_as_of: bool = False
    extra_inputs: Callable[[Run], dict[str, Any]] = lambda run: {}
    keys_crossing: Callable[[Run, datetime], DataFrame] | None = None
    # ``uses_as_of``: the result depends on the day of ``as_of``. What depends on it counts in whole days. A new day names
    # all keys, or, with ``keys_crossing``, only those that it gives for the ``as_of`` of the stage's last run.


@dataclass(frozen=True)
class Outcome:
    """What became of a stage in this run; ``ran`` is False where it had nothing to do."""

    stage: str
    ran: bool
    why: str
    seconds: float
    counts: dict[str, Any]


def run_stage(run: Run, stage: Stage) -> Outcome:
    """Runs a stage if there is something for it to do, and records it."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    last = run.log.last_done(stage.name)
    inputs = {name: version_of(run.session_if_needed(), run.lake, name) for name in stage.reads}
    inputs.update(stage.extra_inputs(run))
    fingerprint = stage.fingerprint(run.project)
    why, everything = _reason(run, stage, last, inputs, fingerprint)
    if not why or why.startswith("nothing"):
        return Outcome(stage.name, False, why or "nothing to do", time.monotonic() - clock, {})
    record = StageRecord(
        run.run_id, stage.name, "failed", why, run.as_of, fingerprint, inputs, {}, {}, started, 0.0
    )  # fmt: skip
    try:
        counts = _run_body(run, stage, last, inputs, everything)
    except Exception:
        _record_failure(run, replace(record, seconds=time.monotonic() - clock))
        raise
    seconds = time.monotonic() - clock
    collect_leftovers()
    outputs = {name: version_of(run.session_if_needed(), run.lake, name) for name in stage.writes}
    done = replace(record, outcome="done", outputs=outputs, counts=counts, seconds=seconds)
    write_record(run.spark, run.lake, done)
    run.log.last[stage.name] = done
    return Outcome(stage.name, True, why, time.monotonic() - clock, counts)


def only_reads(run: Run, last: StageRecord | None) -> bool:
    """Whether the run's day is before that of what was last done, which then stays as it is: a look back changes nothing.
    ``--full-refresh`` goes back.
    """
    asked = run.as_of is not None and last is not None and last.as_of is not None and run.as_of.date() < last.as_of.date()
    return asked and not run.full_refresh


def _reason(run: Run, stage: Stage, last: StageRecord | None, inputs: dict[str, Any], fingerprint: str) -> tuple[str, bool]:
    """Why the stage has to run ('' where it has not), and whether for all keys."""
    day, last_day = (moment and moment.date() for moment in (run.as_of, last.as_of if last else None))
    if stage.uses_as_of and only_reads(run, last):
        return f"nothing: {EARLIER}", False
    if all(version == -1 for version in inputs.values()):
        return "nothing: its inputs are not there yet", False
    if last is None:
        return "first build", True
    changed = sorted(name for name, version in inputs.items() if last.inputs.get(name) != version)
    other = [name for name in changed if name not in stage.reads]
    restored = [name for name in changed if name in stage.reads and inputs[name] < int(last.inputs.get(name, -1))]
    gone = sorted(last.inputs.keys() - inputs.keys())
    new_day = stage.uses_as_of and day != last_day
    reasons_for_everything = {
        "full refresh": run.full_refresh,
        "configuration changed": last.fingerprint != fingerprint,
        f"{', '.join(gone)} no longer read": bool(gone),
        f"{', '.join(other)} changed": bool(other),
        f"{', '.join(restored)} restored": bool(restored),
        "as_of moved": new_day and (stage.keys_crossing is None or last_day is None or day is None),
    }
    why = next((reason for reason, holds in reasons_for_everything.items() if holds), "")
    if why:
        return why, True
    if new_day:
        return "as_of moved", False
    return ("changes in " + ", ".join(changed), False) if changed else ("", False)


def _run_body(run: Run, stage: Stage, last: StageRecord | None, inputs: dict[str, Any], everything: bool) -> dict[str, Any]:
    if everything or last is None:
        return stage.body(run, EVERYTHING)
    try:
        feeds = _feeds(run, stage, last, inputs)
        if stage.keys is None:
            return stage.body(run, Changes(False, feeds))
        keys, held = compute_once(run.spark, run.lake, f"keys_of_{stage.name}", _keys(run, stage, last, feeds), few=True)
        count = keys.count() if held is None else held.num_rows
    except Exception as error:  # a file that is gone is an error of Spark's, or one of the JVM's as it is
        if not _is_lost_feed(error):
            raise
        return {**stage.body(run, EVERYTHING), "change_feed": "lost: all keys"}
    return {"keys": count, **(stage.body(run, Changes(False, feeds, keys, few=held is not None)) if count else {})}


def _keys(run: Run, stage: Stage, last: StageRecord, feeds: dict[str, DataFrame]) -> DataFrame:
    assert stage.keys is not None
    named = [stage.keys(run, feeds)] if feeds else []
    if stage.keys_crossing is not None and last.as_of is not None and run.as_of and run.as_of.date() != last.as_of.date():
        named.append(stage.keys_crossing(run, last.as_of))
    return union(named).distinct()


def _feeds(run: Run, stage: Stage, last: StageRecord, inputs: dict[str, Any]) -> dict[str, DataFrame]:
    feeds = {}
    for name in stage.reads:
        rows = changed_rows(run.spark, run.lake, name, int(last.inputs.get(name, -1)), inputs[name])
        if rows is not None:
            feeds[name] = rows
    return feeds


def _is_lost_feed(error: Exception) -> bool:
    """Whether the error says that files or versions of a change feed are gone (VACUUM, expired log, feed switched off), or
    are so old that VACUUM may take them at any time.
    """
    text = str(error)
    signs = (
        "DELTA_CHANGE_DATA",
        "DELTA_MISSING_CHANGE_DATA",
        "DELTA_CDC",
        "DELTA_VERSION",
        "DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION",
        "FILE_NOT_EXIST",
        "FileNotFound",
    )
    return any(sign in text for sign in signs)


def _record_failure(run: Run, record: StageRecord) -> None:
    """Notes the failure where that is still possible; the error itself is what the caller has to see."""
    try:
        write_record(run.spark, run.lake, record)
    except Exception as error:  # noqa: BLE001 - the lake may be what failed; the first error counts
        import logging

        logging.getLogger(__name__).warning("the failed stage could not be recorded: %s", type(error).__name__)
