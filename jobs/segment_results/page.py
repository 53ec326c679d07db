"""The results as one HTML page: charts and tables, with nothing to load from elsewhere and no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from jobs.segment_results.charts import Bar, bars, colour, curve, shares
from jobs.segment_results.questions import GONE, MERGED, MOVED, NEW, STAYED
from jobs.segment_results.results import SegmentResults
from jobs.segment_results.tables import growth, movements_table, reasons_table

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --quiet: #66717f; --line: #dfe4ea; --paper: #f6f7f9; --card: #fff;
  --heat: 63, 111, 181; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ef; --quiet: #95a1b0; --line: #323c49; --paper: #14191f; --card: #1c232b; --heat: 96, 150, 225; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0 0 .2rem; }
p { margin: .2rem 0 1rem; color: var(--quiet); }
section, .tiles > div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
section { padding: 1.2rem 1.4rem; margin-top: 1rem; overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem; margin-top: 1.2rem; }
.tiles > div { padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.25; }
.tiles span { color: var(--quiet); }
svg { width: 100%; height: auto; display: block; margin-bottom: .8rem; }
svg text { fill: var(--ink); font-size: 13px; }
svg text.quiet { fill: var(--quiet); font-size: 12px; }
svg text.on { fill: #fff; font-size: 12px; }
svg .mark { stroke: var(--ink); stroke-width: 2; }
svg .grid { stroke: var(--line); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: .35rem .6rem; }
th { font-weight: 600; color: var(--quiet); }
th.word, td.word { text-align: left; }
td.same { color: var(--quiet); }
table.even { table-layout: fixed; }
tbody tr { border-top: 1px solid var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .2rem 0 .9rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 3px; margin-right: .4rem; vertical-align: -1px; }
"""


def results_page(results: SegmentResults) -> str:
    """The whole page."""
    period = f"{results.before:%d %B %Y} to {results.after:%d %B %Y}" if results.has_period else f"{results.after:%d %B %Y}"
    sections = [_sizes(results), _money(results)]
    if results.has_period:
        sections += [_movements(results), _reasons(results), _over_time(results)]
    notes = "".join(f"<p>{escape(note)}</p>" for note in results.notes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Segments, {period}</title><style>{STYLE}</style></head>\n<body><main>\n"
        f"<h1>Segments</h1><p>{period}</p>{_tiles(results)}\n" + "\n".join(sections) + f"\n{notes}</main></body>\n</html>\n"
    )


def _tiles(results: SegmentResults) -> str:
    customers = sum(s.customers for s in results.segments)
    before = sum(s.customers_before for s in results.segments)
    money = sum(s.revenue for s in results.segments)
    money_before = sum(s.revenue_before or 0 for s in results.segments)
    tiles = [("customers", f"{customers:,}", _grown(customers, before) if results.has_period else "")]
    tiles.append((f"revenue in {results.days} days", f"{money:,.0f}", _grown(money, money_before)))
    if results.has_period:
        moved = results.total(MOVED)
        tiles.append(("changed segment", f"{moved:,}", f"{moved / before:.1%} of those before" if before else ""))
        out = results.total(GONE) + results.total(MERGED)
        tiles.append(("new", f"{results.total(NEW):,}", f"{out:,} gone or merged"))
    cells = "".join(
        f"<div><span>{label}</span><b>{value}</b><span>{note or '&nbsp;'}</span></div>" for label, value, note in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _sizes(results: SegmentResults) -> str:
    lines = [
        Bar(s.segment, s.customers, s.customers_before, f"{s.customers:,}  ({_grown(s.customers, s.customers_before)})")
        if results.has_period
        else Bar(s.segment, s.customers, None, f"{s.customers:,}")
        for s in results.segments
    ]
    told = f" The mark is where each stood on {results.before:%d %B}." if results.has_period else ""
    return _section("How many customers", f"Customers on {results.after:%d %B %Y}.{told}", bars(lines))


def _money(results: SegmentResults) -> str:
    names = [s.segment for s in results.segments]
    charts = shares(
        [
            ("of customers", [float(s.customers) for s in results.segments]),
            ("of revenue", [max(s.revenue, 0.0) for s in results.segments]),
        ],
        names,
    )
    lines = [
        Bar(
            s.segment,
            s.revenue,
            s.revenue_before,
            f"{s.revenue:,.0f}" + (f"  ({_grown(s.revenue, s.revenue_before)})" if s.revenue_before else ""),
        )
        for s in results.segments
    ]
    is_compared = any(s.revenue_before is not None for s in results.segments)
    told = f"Revenue of {results.days} days, by the segment that customers were in at their end."
    told += " The mark is as many days before." if is_compared else ""
    return _section("What they bring", told, _legend(names) + charts + bars(lines))


def _movements(results: SegmentResults) -> str:
    table = movements_table(results)
    totals = [sum(value or 0 for value in row[1:]) or 1 for row in table.rows]
    body = []
    for number, (row, total) in enumerate(zip(table.rows, totals, strict=True)):
        cells = [_cell(value, total, is_same=place == number) for place, value in enumerate(row[1:])]
        body.append(f'<tr><td class="word">{escape(row[0])}</td>{"".join(cells)}</tr>')
    told = "From the segments in the lines to those in the columns. The stronger the colour, the larger the share of the line."
    return _section("Where they went", told, _table(table.header, body, kind="even"))


def _cell(value: int | None, total: int, is_same: bool) -> str:
    if not value:
        return "<td></td>"
    if is_same:
        return f'<td class="same" title="{value / total:.1%} stayed">{value:,}</td>'
    return (
        f'<td style="background: rgba(var(--heat), {0.12 + 0.75 * value / total:.2f})" title="{value / total:.1%}">{value:,}</td>'
    )


def _reasons(results: SegmentResults) -> str:
    table = reasons_table(results)
    body = []
    for start, end, fate, why, *numbers in table.rows:
        words = "".join(f'<td class="word">{escape(word)}</td>' for word in (start, end, why if fate == MOVED else fate))
        body.append(f"<tr>{words}{''.join(f'<td>{_number(value)}</td>' for value in numbers)}</tr>")
    header = ("from", "to", "moved by", *table.header[4:])
    stayed = results.total(STAYED)
    told = f"{stayed:,} stayed. Medians of the others: days since the last purchase on both dates, days with one between them."
    return _section("Why they moved", told, _table(header, body, words=3))


def _over_time(results: SegmentResults) -> str:
    names = [s.segment for s in results.segments]
    others = sorted({name for one in results.curve for name in one.customers} - set(names))
    told = f"Customers by segment since the history began, on {results.curve[0].at:%d %B %Y}."
    return _section("Over time", told, _legend([*names, *others]) + curve(results.curve, [*names, *others]))


def _section(title: str, told: str, content: str) -> str:
    return f"<section><h2>{title}</h2><p>{escape(told)}</p>{content}</section>"


def _table(header: Sequence[str], body: Sequence[str], words: int = 1, kind: str = "") -> str:
    cells = [f'<th class="word">{escape(h)}</th>' if n < words else f"<th>{escape(h)}</th>" for n, h in enumerate(header)]
    return f'<table class="{kind}"><thead><tr>{"".join(cells)}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def _legend(names: Sequence[str]) -> str:
    items = (f'<span><i style="background: {colour(n)}"></i>{escape(name)}</span>' for n, name in enumerate(names))
    return f'<div class="legend">{"".join(items)}</div>'


def _grown(after: float, before: float | None) -> str:
    percent = growth(after, before)
    return "" if percent is None else f"{percent:+.1f}%"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
