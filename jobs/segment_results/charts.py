"""Charts as SVG text: drawn here, so that a page needs nothing but itself. Colours of text and lines are the page's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from jobs.segment_results.results import Sizes

PALETTE = (
    "#3f6fb5", "#2f9c8a", "#d99a3c", "#c4573f", "#8a6bbd", "#6d7d92", "#b6587f", "#7ba23f", "#4a9fc4", "#a3794a",
)  # fmt: skip
WIDTH = 720


class Bar(NamedTuple):
    """A line of a bar chart: a value, the one before it (None: none), and a word on it."""

    label: str
    value: float
    before: float | None
    told: str


def colour(number: int) -> str:
    """The colour of the segment with this place; more segments than colours begin again."""
    return PALETTE[number % len(PALETTE)]


def bars(lines: Sequence[Bar]) -> str:
    """A bar a line, its value before as a mark: where the bar's end and the mark differ, something changed."""
    largest = max([max(line.value, line.before or 0) for line in lines] or [0]) or 1
    left, right, step = 130, 190, 34
    scale = (WIDTH - left - right) / largest
    parts = []
    for number, line in enumerate(lines):
        y = number * step + 5
        width = max(line.value, 0) * scale
        parts.append(_text(left - 12, y + 16, line.label, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="22" rx="3" fill="{colour(number)}"/>')
        end = width
        if line.before is not None:
            at = left + max(line.before, 0) * scale
            end = max(end, at - left)
            parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{y - 3}" y2="{y + 25}"/>')
        parts.append(_text(left + end + 10, y + 16, line.told, "start", "quiet"))
    return _svg(len(lines) * step + 6, parts)


def shares(lines: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]) -> str:
    """A whole a line, cut into the segments' shares; those of 4% and more are written in."""
    left, step = 130, 46
    parts = []
    for number, (label, values) in enumerate(lines):
        y, x, whole = number * step + 4, float(left), sum(values) or 1
        parts.append(_text(left - 12, y + 22, label, "end"))
        for place, value in enumerate(values):
            width = (WIDTH - left) * value / whole
            name = f"<title>{escape(names[place])}: {value / whole:.1%}</title>"
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="34" fill="{colour(place)}">{name}</rect>')
            if value / whole >= 0.04:
                parts.append(_text(x + width / 2, y + 22, f"{value / whole:.0%}", "middle", "on"))
            x += width
    return _svg(len(lines) * step, parts)


def curve(sizes: Sequence[Sizes], names: Sequence[str]) -> str:
    """Customers by segment over time, one above the other; the first segment lies at the bottom."""
    left, top, height, bottom = 56, 10, 230, 26
    totals = [sum(one.customers.values()) for one in sizes]
    largest, span = max(totals) or 1, (sizes[-1].at - sizes[0].at).total_seconds() or 1
    xs = [left + (WIDTH - left - 8) * (one.at - sizes[0].at).total_seconds() / span for one in sizes]

    def y(value: float) -> float:
        return top + height * (1 - value / largest)

    parts, floor = [], [0.0] * len(sizes)
    for place, name in enumerate(names):
        roof = [low + one.customers.get(name, 0) for low, one in zip(floor, sizes, strict=True)]
        there = [f"{x:.1f},{y(value):.1f}" for x, value in zip(xs, roof, strict=True)]
        back = [f"{x:.1f},{y(value):.1f}" for x, value in zip(reversed(xs), reversed(floor), strict=True)]
        points = " ".join([*there, *back])
        parts.append(f'<polygon points="{points}" fill="{colour(place)}"><title>{escape(name)}</title></polygon>')
        floor = roof
    for value in (0, largest / 2, largest):
        parts.append(f'<line class="grid" x1="{left}" x2="{WIDTH - 8}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(_text(left - 8, y(value) + 4, f"{value:,.0f}", "end", "quiet"))
    for place in (0, len(sizes) // 2, len(sizes) - 1):
        anchor = {0: "start", len(sizes) - 1: "end"}.get(place, "middle")
        parts.append(_text(xs[place], top + height + 20, f"{sizes[place].at:%d %b %Y}", anchor, "quiet"))
    return _svg(top + height + bottom, parts)


def _svg(height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">{"".join(parts)}</svg>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
