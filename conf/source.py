"""A declared source: where a feed lands, and how its rows map to the standard schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from conf.expressions import Expression, parse_expression
from conf.kinds import castable, spoken
from conf.model import Declared
from conf.tables.bronze import RESERVED_NAMES

EVENT_COLUMNS = (
    "event_id", "event_type", "occurred_at", "order_id", "product_id", "category", "brand", "store", "channel",
    "quantity", "revenue", "currency", "version",
)  # fmt: skip
RECORD_COLUMNS = ("record_id", "observed_at", "version")
STANDARD_KINDS = (
    ("occurred_at", "timestamp"), ("observed_at", "timestamp"), ("quantity", "number"), ("revenue", "number"),
    ("version", "bigint"),
)  # fmt: skip
"""The kinds of the standard columns that are not text."""


def _parses(text: str) -> str:
    parse_expression(text)
    return text


Sql = Annotated[str, AfterValidator(_parses)]
"""One row's expression over raw columns, which are text."""


class IdentifierMap(Declared):
    """An identifier that a row carries: a namespace and the expression of its value."""

    namespace: str
    value: Sql

    @field_validator("value")
    @classmethod
    def _is_one_value(cls, value: str) -> str:
        if parse_expression(value).kind == "array":
            raise ValueError(f"{value!r} is an array; expected one value")
        return value


class Expectation(Declared):
    """A condition over the mapped columns; a row for which it is not true waits in quarantine under this name."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    check: str

    @field_validator("check")
    @classmethod
    def _parses(cls, value: str) -> str:
        kind = parse_expression(value, STANDARD_KINDS).kind
        if kind != "boolean":
            raise ValueError(f"{value!r} is {spoken(kind)}; expected a condition")
        return value

    @property
    def expression(self) -> Expression:
        """The check, parsed over the standard schema."""
        return parse_expression(self.check, STANDARD_KINDS)


class Source(Declared):
    """``conf/sources/<source>.yml``."""

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["events", "records"]
    path: str
    format: Literal["csv", "json", "parquet"]
    options: dict[str, str | bool | int] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    maps: dict[str, Sql]
    identifiers: tuple[IdentifierMap, ...] = ()
    expect: tuple[Expectation, ...] = ()
    units: dict[str, str] = Field(default_factory=dict)
    """Mapped key -> the unit that this source gives it in, to be held against other sources and the profile."""

    @field_validator("path")
    @classmethod
    def _below_landing(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError(f"found {value!r}; expected a folder below the landing root")
        return value

    @field_validator("columns")
    @classmethod
    def _are_not_reserved(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        reserved = RESERVED_NAMES.intersection(name.lower() for name in value)
        if reserved:
            raise ValueError(f"no column can be called {', '.join(sorted(reserved))}; the lake has its own by that name")
        return value

    @model_validator(mode="after")
    def _csv_has_a_header(self) -> Source:
        headers = [str(value).lower() for key, value in self.options.items() if key.lower() == "header"]
        if self.format == "csv" and "false" in headers:
            raise ValueError("options: header is false; a CSV file needs a header line, for its columns are matched by name")
        return self

    @field_validator("maps")
    @classmethod
    def _make_what_is_expected(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            kind, wanted = parse_expression(text).kind, dict(STANDARD_KINDS).get(name, "text")
            if not castable(kind, wanted):
                raise ValueError(f"{name} expects {spoken(wanted)}, and {text!r} is {spoken(kind)}")
        return value

    @model_validator(mode="after")
    def _needed_maps(self) -> Source:
        needed = ("event_type", "occurred_at") if self.kind == "events" else ("observed_at",)
        missing = [name for name in needed if name not in self.maps]
        if missing:
            raise ValueError(f"a source of kind {self.kind} must map {', '.join(missing)}")
        for expectation in self.expect:
            unknown = sorted(set(expectation.expression.columns) - set(self.standard_columns))
            if unknown:
                raise ValueError(
                    f"expect: {expectation.name} checks {', '.join(unknown)}; expected columns of the standard schema "
                    f"({', '.join(self.standard_columns)})"
                )
        unmapped = sorted(set(self.units) - set(self.maps))
        if unmapped:
            raise ValueError(f"units: {', '.join(unmapped)} is not mapped; mapped are {', '.join(sorted(self.maps))}")
        names = [expectation.name for expectation in self.expect]
        if len(set(names)) != len(names):
            raise ValueError("two expectations have one name")
        return self

    @property
    def standard_columns(self) -> tuple[str, ...]:
        """Columns of the standard schema that this kind of source can map; other keys become attributes."""
        return EVENT_COLUMNS if self.kind == "events" else RECORD_COLUMNS

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Mapped keys beyond the standard schema, in a fixed order."""
        return tuple(sorted(name for name in self.maps if name not in self.standard_columns))

    def expressions(self) -> dict[str, Expression]:
        """Every mapping, parsed, by its key."""
        return {name: parse_expression(text) for name, text in self.maps.items()}

    def raw_columns_used(self) -> dict[str, str]:
        """Raw column -> where the mapping names it, for checking that the files have it."""
        used: dict[str, str] = {}
        for name, text in self.maps.items():
            for column in parse_expression(text).columns:
                used.setdefault(column, f"maps.{name}")
        for index, identifier in enumerate(self.identifiers):
            for column in parse_expression(identifier.value).columns:
                used.setdefault(column, f"identifiers.{index}.value")
        return used
