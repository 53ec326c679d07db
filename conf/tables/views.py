"""Views for analysts: flat and by profile, so that a BI tool meets no list, no map and no join over hashed identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import types as T

from conf.profile import ProfileConfig
from conf.tables.contract import Column, Personal, refuse_repeated_columns
from conf.tables.gold import customer_360_table
from conf.tables.measures import EXACT
from conf.tables.ops import NOW_FROM, NOW_LAST, RUNS
from conf.tables.silver import ACTIVITY, DAY, EVENTS, IDENTITIES, STRING, TIME

PROFILE = Column("profile_id", STRING, "Profile", "indirect")
LEFT_OUT_OF_EVENTS = ("row_hash", "row_ordinal", "version", "attributes", "identifiers", "primary_identifier_id")


@dataclass(frozen=True)
class View:
    """A view over the lake's tables. ``query`` is SQL whose columns are those of ``columns``, in their order; ``{alias}`` in
    it stands for the table that ``tables`` has under that alias.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    query: str
    tables: dict[str, str]

    def __post_init__(self) -> None:
        refuse_repeated_columns(self.name, tuple(column.name for column in self.columns))


def declared_views(profile: ProfileConfig) -> tuple[View, ...]:
    """All views of a project; the one of breakdowns only where a declared measure has one."""
    maps = [column for column in customer_360_table(profile).columns if isinstance(column.type, T.MapType)]
    breakdowns = (_breakdowns(maps),) if maps else ()
    return (_customers(profile), *breakdowns, _days(), _events())


def _view(name: str, comment: str, chosen: Sequence[tuple[Column, str]], rest: str, **tables: str) -> View:
    """A view that selects SQL under the names of columns; ``rest`` is the query from its FROM on."""
    columns = tuple(column for column, _ in chosen)
    return View(name, comment, columns, f"SELECT {_named(chosen)} {rest}", tables)


def _named(chosen: Iterable[tuple[Column, str]]) -> str:
    return ", ".join(f"{sql} AS `{column.name}`" for column, sql in chosen)


def _customers(profile: ProfileConfig) -> View:
    days = {
        "recency_days": ("Days from the last purchase to as_of", "last_purchase_at"),
        "tenure_days": ("Days from the first purchase to as_of", "first_purchase_at"),
        "segment_days": ("Days in the segment, to as_of", "segment_since"),
    }
    return _view(
        "gold.customers",
        "One row per profile: the customer 360 without lists and maps, and with days up to the lake's now",
        [
            *(_flat(column) for column in customer_360_table(profile).columns if not isinstance(column.type, T.MapType)),
            *(
                (Column(name, T.IntegerType(), comment), f"if(c.{since} > now.as_of, 0, datediff(now.as_of, c.{since}))")
                for name, (comment, since) in days.items()
            ),
            (
                Column(
                    "as_of",
                    TIME,
                    "The lake's now: as_of of the last run that assigned segments, or else that published (UTC)",
                    "none",
                ),
                "now.as_of",
            ),
        ],
        "FROM {customers} c CROSS JOIN "
        f"(SELECT max_by(as_of, struct({', '.join(NOW_LAST)})) AS as_of FROM {{runs}} WHERE {NOW_FROM}) now",
        customers="gold.customer_360",
        runs=RUNS.name,
    )


def _flat(column: Column) -> tuple[Column, str]:
    if isinstance(column.type, T.ArrayType):
        return replace(column, type=STRING, comment=f"{column.comment}, with commas"), f"array_join(c.`{column.name}`, ', ')"
    return column, f"c.`{column.name}`"


def _breakdowns(maps: list[Column]) -> View:
    personal = _strongest(column.personal for column in maps)
    columns = (
        PROFILE,
        Column("measure", STRING, "Name of the measure, as in customer_360", "none"),
        Column("item", STRING, "What it is broken down by: a channel, a product, …", personal),
        Column("number", EXACT, "The measure, where it is a number", personal),
        Column("at", TIME, "The measure, where it is a time (UTC)", personal),
        Column("text", STRING, "The measure, where it is a text", personal),
    )

    def part(column: Column) -> str:
        assert isinstance(column.type, T.MapType)
        kind = column.type.valueType
        place = {T.TimestampType: "at", T.StringType: "text"}.get(type(kind), "number")
        values = [f"CAST({'value' if c.name == place else 'NULL'} AS {c.type.simpleString()})" for c in columns[3:]]
        chosen = zip(columns, ("profile_id", f"'{column.name}'", "item", *values), strict=True)
        return f"SELECT {_named(chosen)} FROM {{customers}} LATERAL VIEW explode(`{column.name}`) parts AS item, value"

    return View(
        name="gold.customer_breakdowns",
        comment="One row per profile, measure that is broken down, and item: what customer_360 has as maps",
        columns=columns,
        query=" UNION ALL ".join(map(part, maps)),
        tables={"customers": "gold.customer_360"},
    )


def _days() -> View:
    how = {"first_at": "min", "first_purchase_at": "min", "last_at": "max", "last_purchase_at": "max"}
    return _view(
        "gold.customer_days",
        "One row per profile and day with an event: what it did",
        [
            (PROFILE, "i.profile_id"),
            (Column("day", DAY, "Day (UTC)", "indirect"), "a.activity_on"),
            *(
                (column, f"CAST({how.get(column.name, 'sum')}(a.{column.name}) AS {column.type.simpleString()})")
                for column in ACTIVITY.columns
                if column.name not in ACTIVITY.keys
            ),
        ],
        "FROM {activity} a JOIN {identities} i ON i.identifier_id = a.identifier_id GROUP BY i.profile_id, a.activity_on",
        activity=ACTIVITY.name,
        identities=IDENTITIES.name,
    )


def _events() -> View:
    told = [column for column in EVENTS.columns if column.name not in LEFT_OUT_OF_EVENTS]
    return _view(
        "gold.customer_events",
        "One row per event, with the profile that it belongs to; null for an event that is nobody's",
        [(PROFILE, "i.profile_id"), *((column, f"e.{column.name}") for column in told)],
        "FROM {events} e LEFT JOIN {identities} i ON i.identifier_id = e.primary_identifier_id",
        events=EVENTS.name,
        identities=IDENTITIES.name,
    )


def _strongest(labels: Iterable[Personal]) -> Personal:
    order: tuple[Personal, ...] = ("none", "indirect", "direct")
    return max(labels, key=order.index)
