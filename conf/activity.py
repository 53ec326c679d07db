"""The declared measures of activity: what is counted, summed or remembered of what somebody did, and over which windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from conf.expressions import Expression, parse_expression
from conf.kinds import castable, spoken
from conf.model import Declared
from conf.source import EVENT_COLUMNS, STANDARD_KINDS

EVENT_KINDS = (*STANDARD_KINDS, ("occurred_on", "date"))
"""The kinds of an event's columns that are not text."""

DAY_COLUMNS = (
    "events", "purchases", "units", "revenue", "returns", "returned", "product_views", "add_to_carts", "app_opens", "calls",
)  # fmt: skip
"""Columns of ``silver.activity`` that can be summed over days."""

MeasureType = Literal["bigint", "int", "double", "decimal(18,2)", "decimal(18,3)", "string"]
Kind = Literal["count", "sum", "min", "max", "first", "last", "distinct", "top", "recent", "open", "formula"]
Window = Annotated[str, Field(pattern=r"^(all|[1-9]\d{0,3}d)$")]

_NEEDS_OF = ("sum", "min", "max", "distinct", "top", "recent", "open", "formula")
_OF_NUMBERS = ("sum", "min", "max", "formula")
_MAY_BE_SPLIT = ("count", "sum", "first", "last")
_WITH_TYPE = ("sum", "min", "max", "top", "formula")
_PARTS = {
    "count": ("number",), "sum": ("number",), "top": ("number", "last_at"), "first": ("first_at",), "last": ("last_at",),
    "recent": ("last_at",), "open": ("last_at", "closed_at"), "distinct": (),
}  # fmt: skip


@dataclass(frozen=True)
class MeasureColumn:
    """One column that a measure makes: its name, and its window in days (None: all days)."""

    name: str
    days: int | None


class Measure(Declared):
    """A measure of what somebody did; it makes a column for each window.

    ``filter`` says which events count, ``of`` what is taken of each. Over ``days``, ``of`` is a column of the daily activity.
    ``by`` splits the measure into a map, by the value of an expression. ``weigh`` is what counts for ``top``, instead of
    the number of events; ``keep`` is how many values ``recent`` keeps; what an event ``closed_by`` names is no longer
    ``open``. A ``formula`` is computed from other measures' columns. ``type`` is the type of a number, or of a ``top``.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    measure: Kind
    over: Literal["events", "days"] = "events"
    of: str | None = None
    filter: str | None = None
    by: str | None = None
    weigh: str | None = None
    closed_by: str | None = None
    keep: int = Field(default=5, ge=1, le=100)
    windows: tuple[Window, ...] = Field(default=("all",), min_length=1)
    type: MeasureType | None = None
    personal: Literal["direct", "indirect", "none"] = "indirect"
    comment: str = ""

    @field_validator("windows")
    @classmethod
    def _windows_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError(f"found {', '.join(value)}; expected each window once")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Measure:
        is_split = self.by is not None
        wrong = {
            f"{self.measure} needs `of`": self.of is None and self.measure in _NEEDS_OF,
            "count takes no `of`: use distinct, or put the condition into `filter`": self.of is not None
            and self.measure == "count",
            f"{self.measure} cannot be split with `by`": is_split and (self.measure not in _MAY_BE_SPLIT or self.over == "days"),
            "what is split with `by` is a count, a sum or a time: remove `of`": is_split
            and self.of is not None
            and self.measure in ("first", "last"),
            "`weigh` belongs to top": self.weigh is not None and self.measure != "top",
            "`closed_by` and open need each other": (self.closed_by is not None) != (self.measure == "open"),
            f"{self.measure} has a type of its own: remove `type`": self.type is not None and self.measure not in _WITH_TYPE,
            "a number cannot be a string": self.type == "string" and self.measure in _OF_NUMBERS,
            f"over days there are sums, found {self.measure}": self.over == "days" and self.measure != "sum",
            "over days there is no `filter`": self.over == "days" and self.filter is not None,
            f"`of` is a column of the days: {', '.join(DAY_COLUMNS)}": self.over == "days" and self.of not in DAY_COLUMNS,
            "a formula has the windows of what it names: remove `windows`": self.measure == "formula"
            and self.windows != ("all",),
        }
        problem = next((text for text, holds in wrong.items() if holds), None)
        if problem:
            raise ValueError(f"measure {self.name}: {problem}")
        for key, kind in self._wanted_kinds().items():
            found = self.expression(key)
            if found is not None and (found.kind != kind if kind == "boolean" else not castable(found.kind, kind)):
                raise ValueError(f"measure {self.name}: `{key}` is {spoken(found.kind)}; expected {spoken(kind)}")
        return self

    def _wanted_kinds(self) -> dict[str, str]:
        of = "number" if self.measure in _OF_NUMBERS else "text"
        return {"filter": "boolean", "closed_by": "boolean", "by": "text", "weigh": "number", "of": of}

    def expression(self, key: str) -> Expression | None:
        """What stands under ``key``, parsed over an event's columns (a formula over numbers); None where nothing does."""
        text = getattr(self, key)
        if text is None or self.over == "days":
            return None
        try:
            kinds: tuple[tuple[str, str], ...] = EVENT_KINDS
            if self.measure == "formula":
                kinds = tuple((column, "number") for column in formula_columns(text))
            return parse_expression(text, kinds)
        except ValueError as error:
            raise ValueError(f"measure {self.name}: `{key}`: {error}") from None

    @property
    def columns(self) -> tuple[MeasureColumn, ...]:
        """``orders`` over all days, ``orders_30d`` over the last thirty."""
        return tuple(
            MeasureColumn(self.name, None) if window == "all" else MeasureColumn(f"{self.name}_{window}", int(window[:-1]))
            for window in self.windows
        )

    @property
    def of_values(self) -> bool:
        """Whether it has to remember values, not one number or time a day."""
        needs = self.measure in ("distinct", "top", "recent", "open") or self.by is not None
        return needs or (self.measure in ("first", "last") and self.of is not None)

    @property
    def parts(self) -> tuple[str, ...]:
        """Of a remembered value, what is told of it: how much, when first, when last, when something closed it last."""
        return _PARTS[self.measure]

    @property
    def event_columns(self) -> tuple[str, ...]:
        """The columns of an event, or attributes of it, that its expressions name."""
        keys = ("filter", "of", "by", "weigh", "closed_by")
        found = [self.expression(key) for key in keys] if self.measure != "formula" else []
        return tuple(dict.fromkeys(column for expression in found if expression for column in expression.columns))


STANDARD_COUNTS = tuple(
    Measure(name=name, measure="sum", over="days", of=name, type="bigint")
    for name in ("events", "returns", "product_views", "add_to_carts", "app_opens", "calls")
)
"""What every profile has beside the declared measures."""


def formula_columns(text: str) -> tuple[str, ...]:
    """The columns that a formula names."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except SqlglotError:
        return ()  # what is wrong with it, parse_expression says
    return tuple(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))


def check_measures(measures: tuple[Measure, ...]) -> None:
    """Raises ValueError where two measures make one column, or a formula names a column that no measure makes."""
    names = [column.name for measure in measures for column in measure.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"declared twice: {', '.join(twice)}")
    numbers = [m for m in measures if m.measure in ("count", "sum", "min", "max", "distinct") and m.by is None]
    known = [column.name for measure in numbers for column in measure.columns]
    for measure in measures:
        unknown = (
            [name for name in formula_columns(measure.of or "") if name not in known] if measure.measure == "formula" else []
        )
        if unknown:
            raise ValueError(f"the formula {measure.name} names {', '.join(unknown)}; expected numbers of {', '.join(known)}")


def unknown_event_columns(measures: tuple[Measure, ...], attribute_names: set[str]) -> list[str]:
    """A problem for each measure that names neither a column of the standard schema nor what an event source maps."""
    known = {*EVENT_COLUMNS, "source", "occurred_on", *attribute_names}
    return [
        f"profile.yml: `activity`: {measure.name} names {', '.join(unknown)}; expected columns of the standard schema "
        f"({', '.join(EVENT_COLUMNS)}) or what an event source maps"
        for measure in measures
        if (unknown := [name for name in measure.event_columns if name not in known])
    ]
