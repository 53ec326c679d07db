"""What became of the segments between two dates: sizes, money, movements and their reasons, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from conf.errors import BadInputError
from conf.tables.gold import SEGMENT_ASSIGNMENTS
from conf.tables.silver import ACTIVITY, IDENTITIES, IDENTITY_CHANGES
from jobs.runtime.lake import ask, exists
from jobs.runtime.stage import Run
from jobs.segment_results import questions
from jobs.segment_results.questions import STAYED

DEFAULT_DAYS = 28
POINTS = 13
"""Days between the two dates where none are asked for, and moments of the curve of sizes."""


@dataclass(frozen=True)
class SegmentResult:
    """One segment on both dates. ``revenue`` is money of the period up to the later date by those who were in it then,
    ``revenue_before`` of as many days up to the earlier date by those who were in it on that one.
    """

    segment: str
    customers: int
    customers_before: int
    joined: int
    left: int
    buyers: int
    revenue: float
    revenue_before: float | None


@dataclass(frozen=True)
class Movement:
    """So many customers with one fate: from a segment (None: new) to a segment (None: gone or merged), moved by what.

    Medians of what they did: days since the last purchase on both dates, and days with a purchase between them.
    """

    from_segment: str | None
    to_segment: str | None
    fate: str
    why: str | None
    customers: int
    days_since_before: float | None = None
    days_since: float | None = None
    purchase_days: float | None = None


@dataclass(frozen=True)
class Sizes:
    """Customers by segment at one moment."""

    at: datetime
    customers: Mapping[str, int]


@dataclass(frozen=True)
class SegmentResults:
    """All of it. ``segments`` are ordered by revenue, the largest first; ``who`` is empty unless it was asked for."""

    before: datetime
    after: datetime
    days: int
    segments: tuple[SegmentResult, ...]
    movements: tuple[Movement, ...]
    curve: tuple[Sizes, ...]
    notes: tuple[str, ...] = ()
    who: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def has_period(self) -> bool:
        """False where the history has one date only, and there is nothing to compare."""
        return self.before < self.after

    def total(self, fate: str) -> int:
        """Customers with this fate."""
        return sum(movement.customers for movement in self.movements if movement.fate == fate)

    def between(self, from_segment: str | None, to_segment: str | None, fate: str | None = None) -> int:
        """Customers who went from one to the other."""
        pairs = (m for m in self.movements if (m.from_segment, m.to_segment) == (from_segment, to_segment))
        return sum(movement.customers for movement in pairs if fate in (None, movement.fate))


def segment_results(run: Run, before: datetime | None, after: datetime | None, with_who: bool = False) -> SegmentResults:
    """What the lake says. Raises BadInputError where there is no history, or none on a date that is asked for."""
    spark, lake = run.session_if_needed(), run.lake
    tables = {"assignments": SEGMENT_ASSIGNMENTS.name, "changes": IDENTITY_CHANGES.name}
    tables |= {"activity": ACTIVITY.name, "identities": IDENTITIES.name}

    def asked(question: str) -> list[dict[str, Any]]:
        named = {alias: name for alias, name in tables.items() if f"{{{alias}}}" in question}
        return ask(spark, lake, question, **named).to_pylist()

    history = asked(questions.HISTORY)[0] if exists(spark, lake, SEGMENT_ASSIGNMENTS.name) else {}
    if history.get("first_at") is None:
        raise BadInputError("There are no segments yet: `c360 run` trains a model and assigns them.")
    first, last = _utc(history["first_at"]), _last_known(run, _utc(history["last_at"]))
    before, after = _period(first, last, before, after)
    days = max((after.date() - before.date()).days, 1) if before < after else DEFAULT_DAYS
    movements = tuple(Movement(**row) for row in asked(questions.movements(before, after)))
    bought = {row["segment"]: row for row in asked(questions.revenue(after, days))}
    begun = asked(questions.FIRST_ACTIVITY)[0]["first_on"]
    is_whole = before < after and begun is not None and begun <= (before - timedelta(days=days)).date()
    earlier = {row["segment"]: row for row in asked(questions.revenue(before, days))} if is_whole else None
    moments = _moments(first, after)
    return SegmentResults(
        before,
        after,
        days,
        _segments(movements, bought, earlier),
        movements,
        _curve(moments, asked(questions.sizes(moments))) if before < after else (),
        _notes(before, after, last, days, begun, is_whole),
        tuple(asked(questions.who(before, after))) if with_who else (),
    )


def _last_known(run: Run, last_change: datetime) -> datetime:
    """The "now" of the last assignment: a run that moved nobody also says who is in which segment."""
    record = run.log.last_done("assign-segments")
    return last_change if record is None or record.as_of is None else max(record.as_of, last_change)


def _period(first: datetime, last: datetime, before: datetime | None, after: datetime | None) -> tuple[datetime, datetime]:
    """Both dates, each the one that is asked for or else the latest and some weeks earlier."""
    after = after or last
    asked, before = before, before or max(_end_of_day(after - timedelta(days=DEFAULT_DAYS)), first)
    for at in (before, after):
        if at < first:
            raise BadInputError(
                f"The history of segments begins on {first:%Y-%m-%d} ({first:%H:%M} UTC): who was in which one on "
                f"{at:%Y-%m-%d} is not known. Ask for that day or a later one."
            )
    if asked is not None and before.date() >= after.date():
        raise BadInputError(f"--from {before:%Y-%m-%d} is not before --to {after:%Y-%m-%d}: expected an earlier day.")
    return (after if before.date() == after.date() else before), after  # days are compared


def _end_of_day(at: datetime) -> datetime:
    return at.replace(hour=23, minute=59, second=59, microsecond=0)


def _segments(
    movements: tuple[Movement, ...], bought: dict[str, dict[str, Any]], earlier: dict[str, dict[str, Any]] | None
) -> tuple[SegmentResult, ...]:
    names = {name for movement in movements for name in (movement.from_segment, movement.to_segment) if name is not None}

    def money(rows: dict[str, dict[str, Any]], name: str) -> float:
        return float(rows[name]["revenue"]) if name in rows else 0.0

    def one(name: str) -> SegmentResult:
        into = [m for m in movements if m.to_segment == name]
        out = [m for m in movements if m.from_segment == name]
        return SegmentResult(
            name,
            sum(m.customers for m in into),
            sum(m.customers for m in out),
            sum(m.customers for m in into if m.fate != STAYED),
            sum(m.customers for m in out if m.fate != STAYED),
            int(bought[name]["buyers"]) if name in bought else 0,
            money(bought, name),
            None if earlier is None else money(earlier, name),
        )

    return tuple(sorted((one(name) for name in names), key=lambda s: (-s.revenue, -s.customers, s.segment)))


def _curve(moments: list[datetime], rows: list[dict[str, Any]]) -> tuple[Sizes, ...]:
    found: list[dict[str, int]] = [{} for _ in moments]
    for row in rows:
        found[row["number"]][row["segment"]] = row["customers"]
    return tuple(Sizes(at, customers) for at, customers in zip(moments, found, strict=True))


def _moments(first: datetime, after: datetime) -> list[datetime]:
    """From the history's beginning to the later date, evenly."""
    return [first + (after - first) * number / (POINTS - 1) for number in range(POINTS)]


def _notes(before: datetime, after: datetime, last: datetime, days: int, begun: date | None, is_whole: bool) -> tuple[str, ...]:
    notes = []
    if before >= after:
        notes.append("The history has one date so far: there is nothing to compare it with.")
    elif not is_whole:
        start = f"purchases begin on {begun}" if begun else "there are no purchases"
        notes.append(f"No revenue before: {start}, less than {days} days before {before:%Y-%m-%d}.")
    if after.date() > last.date():
        notes.append(f"Segments were last assigned as of {last:%Y-%m-%d}: what held then is shown.")
    return tuple(notes)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
