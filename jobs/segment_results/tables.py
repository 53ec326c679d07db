"""The results as tables: for a terminal, and as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jobs.runtime.text_table import text_table
from jobs.segment_results.questions import GONE, MERGED, NEW, STAYED
from jobs.segment_results.results import SegmentResults

LISTED = 50
"""Profiles that a terminal shows of those who moved; files and JSON have all."""


class NamedTable(NamedTuple):
    """A table with the name of its file and the heading above it."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def all_tables(results: SegmentResults) -> list[NamedTable]:
    """Sizes and money; the movements and their reasons where there is a period; who moved, where that was asked for."""
    tables = [sizes_table(results)]
    if results.has_period:
        tables += [movements_table(results), fates_table(results), reasons_table(results)]
    if results.who:
        rows = [tuple(row.values()) for row in results.who]
        tables.append(NamedTable("who", "Who", tuple(results.who[0]), rows))
    return tables


def sizes_table(results: SegmentResults) -> NamedTable:
    """A line a segment, and one for all: customers and revenue on both dates, and their growth in percent."""
    header: tuple[str, ...] = ("segment", "customers", f"revenue {results.days} d", "% of revenue")
    if results.has_period:
        header = (
            "segment", "customers", "before", "growth %", "joined", "left",
            f"revenue {results.days} d", "revenue before", "its growth %", "% of revenue",
        )  # fmt: skip
    money = sum(s.revenue for s in results.segments)
    money_before = None if any(s.revenue_before is None for s in results.segments) else _sum_before(results)
    lines = [
        (s.segment, s.customers, s.customers_before, s.joined, s.left, s.revenue, s.revenue_before) for s in results.segments
    ]
    changed = sum(s.customers for s in results.segments), sum(s.customers_before for s in results.segments)
    lines.append(("all", *changed, results.total(NEW), results.total(GONE) + results.total(MERGED), money, money_before))
    rows: list[tuple[Any, ...]] = []
    for segment, after, before, joined, left, revenue, revenue_before in lines:
        share = round(100 * revenue / money, 1) if money else None
        if results.has_period:
            grown = growth(after, before), joined, left, round(revenue, 2), revenue_before, growth(revenue, revenue_before)
            rows.append((segment, after, before, *grown, share))
        else:
            rows.append((segment, after, round(revenue, 2), share))
    return NamedTable("sizes", "Sizes and revenue", header, rows)


def movements_table(results: SegmentResults) -> NamedTable:
    """From the segments in the lines to those in the columns; who stayed stands where a segment meets itself."""
    names = [s.segment for s in results.segments]
    columns = [*names, GONE, MERGED]
    rows: list[tuple[Any, ...]] = []
    for one in (*names, None):
        into = [results.between(one, other) or None for other in names]
        out = [results.between(one, None, fate) or None for fate in (GONE, MERGED)]
        rows.append((one or f"({NEW})", *into, *out))
    return NamedTable("movements", "From (lines) to (columns), customers", ("from", *columns), rows)


def fates_table(results: SegmentResults) -> NamedTable:
    """How many had which fate, and what moved those who moved."""
    counts: dict[tuple[str, str | None], int] = {}
    for movement in results.movements:
        key = movement.fate, movement.why
        counts[key] = counts.get(key, 0) + movement.customers
    rows = [(fate, why or "", number) for (fate, why), number in counts.items()]
    ordered = sorted(rows, key=lambda row: (row[0] != STAYED, -row[2], row[0], row[1]))
    return NamedTable("fates", "What became of customers", ("fate", "moved by", "customers"), ordered)


def reasons_table(results: SegmentResults) -> NamedTable:
    """Who did not stay, the most frequent movement first, with the medians of what they did."""
    header = ("from", "to", "fate", "moved by", "customers", "days since purchase, before", "after", "purchase days")
    others = [movement for movement in results.movements if movement.fate != STAYED]
    others.sort(key=lambda m: (-m.customers, m.from_segment or "", m.to_segment or "", m.why or ""))
    rows = [
        (
            m.from_segment or "",
            m.to_segment or "",
            m.fate,
            m.why or "",
            m.customers,
            m.days_since_before,
            m.days_since,
            m.purchase_days,
        )
        for m in others
    ]
    return NamedTable("reasons", "Who moved, and why: medians of what they did", header, rows)


def growth(after: float, before: float | None) -> float | None:
    """Growth in percent; None where there was nothing to grow from."""
    return round(100 * (after - before) / before, 1) if before else None


def results_text(results: SegmentResults) -> str:
    """The results for a terminal."""
    period = f"{results.before:%Y-%m-%d} to {results.after:%Y-%m-%d}" if results.has_period else f"{results.after:%Y-%m-%d}"
    parts = [f"Segments, {period}"]
    for table in all_tables(results):
        rows = table.rows[:LISTED] if table.name == "who" else table.rows
        more = len(table.rows) - len(rows)
        parts.append(f"{table.title}\n\n{text_table(table.header, rows)}" + (f"\n… and {more:,} more" if more else ""))
    return "\n\n".join([*parts, *results.notes])


def write_csv(results: SegmentResults, folder: Path) -> list[Path]:
    """Each table as a file with a header line; numbers as numbers, nothing as nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_one(folder / f"{table.name}.csv", table.header, table.rows) for table in all_tables(results)]


def _write_one(path: Path, header: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header, *rows])
    return path


def _sum_before(results: SegmentResults) -> float:
    return sum(s.revenue_before or 0.0 for s in results.segments)
