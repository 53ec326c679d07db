"""Tables for a terminal: plain text, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def text_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows below the header, columns as wide as they need; None is a blank."""
    cells = [[_shown(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(list(header), *cells, strict=True)]
    numeric = [all(not isinstance(row[i], str) for row in rows) for i in range(len(header))]

    def line(texts: Sequence[str]) -> str:
        padded = [t.rjust(w) if n else t.ljust(w) for t, w, n in zip(texts, widths, numeric, strict=True)]
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(list(header)), rule, *(line(row) for row in cells)])


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
