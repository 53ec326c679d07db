"""What a run tells a person: the stages, and the segments as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.tables.gold import SEGMENT_ASSIGNMENTS
from jobs.runtime.lake import fetch
from jobs.runtime.stage import Outcome, Run
from jobs.runtime.text_table import text_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SegmentLine:
    """One segment as it stands: ``recency`` in days, ``spend`` in money (medians); ``share`` of all revenue, 0 to 1."""

    segment: str
    customers: int
    recency: float
    frequency: float
    spend: float
    share: float


def stage_table(outcomes: list[Outcome]) -> str:
    """Stage, rows in and out, quarantined, seconds; a stage with nothing to do says so."""
    rows = [(o.stage, *stage_rows(o.counts), round(o.seconds, 1), o.why) for o in outcomes]
    return text_table(("stage", "rows in", "written", "quarantined", "seconds", "why"), rows)


def notes(outcomes: list[Outcome]) -> list[str]:
    """What stages have to say beside their figures, a paragraph each: why a model serves or does not, what has drifted."""
    return ["\n  ".join(outcome.counts["notes"]) for outcome in outcomes if outcome.counts.get("notes")]


_WORDS = ("rows", "new", "changed", "quarantined")


def stage_rows(counts: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Rows read (or keys looked at), rows written and rows quarantined, from a stage's counts."""
    sources = counts.get("sources")
    if sources is not None:
        total = {word: sum(source.get(word, 0) for source in sources.values()) for word in _WORDS}
        return total["rows"], total["new"] + total["changed"], total["quarantined"]
    parts = [value for value in counts.values() if isinstance(value, dict) and {"read", "inserted"} & set(value)]
    if parts and all("read" in part for part in parts):
        return sum(part["read"] for part in parts), sum(part["kept"] for part in parts), None
    written = [sum(part.values()) for part in parts]
    return counts.get("keys"), sum(written) if written else None, None


def assigned_as_of(run: Run) -> datetime | None:
    """What "now" is of the segments as they stand: the run's, or, where an earlier one only read, the last assignment's."""
    last = run.log.last_done("assign-segments")
    if run.as_of is None or last is None or last.as_of is None or last.as_of.date() <= run.as_of.date():
        return run.as_of
    return last.as_of


def segment_lines(run: Run) -> list[SegmentLine]:
    """The current segments at ``as_of``, largest share of revenue first; none before there is a model."""
    assigned = fetch(
        run.session_if_needed(), run.lake, SEGMENT_ASSIGNMENTS.name, ("profile_id", "segment"), "is_current"
    ).to_pandas()
    columns = ("profile_id", "last_purchase_at", "frequency", "revenue")
    numbers = fetch(run.session_if_needed(), run.lake, "gold.rfm", columns).to_pandas()
    if assigned.empty or run.as_of is None:
        return []
    customers = assigned.merge(numbers, on="profile_id")
    customers["revenue"] = customers["revenue"].astype(float)
    customers["recency"] = _days_until(run.as_of, customers["last_purchase_at"])
    total = customers["revenue"].sum() or 1.0
    lines = [
        SegmentLine(
            str(segment),
            len(group),
            float(group["recency"].median()),
            float(group["frequency"].median()),
            float(group["revenue"].median()),
            float(group["revenue"].sum() / total),
        )
        for segment, group in customers.groupby("segment")
    ]
    return sorted(lines, key=lambda line: -line.share)


def segment_table(lines: list[SegmentLine]) -> str:
    """Segment, customers, median recency (days), median frequency, median spend, share of revenue (percent)."""
    rows = [(x.segment, x.customers, x.recency, x.frequency, x.spend, round(100 * x.share, 1)) for x in lines]
    header = ("segment", "customers", "recency (d)", "frequency", "spend", "% of revenue")
    return text_table(header, rows)


def _days_until(as_of: datetime, moments: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    days = pd.to_datetime(moments, utc=True).dt.normalize()
    return (pd.Timestamp(as_of).normalize() - days).dt.days
