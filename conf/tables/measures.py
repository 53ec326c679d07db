"""Contracts that the declared measures of activity make: what a day tells of each, and the columns of the profile."""

from __future__ import annotations

from pyspark.sql import types as T

from conf.activity import Measure
from conf.profile import ProfileConfig
from conf.tables.contract import Column, Table
from conf.tables.silver import DAY, LONG, MONEY, QUANTITY, STRING, TIME

EXACT = T.DecimalType(28, 6)
VALUE = T.StructType(
    [
        T.StructField("value", STRING),
        T.StructField("number", EXACT),
        T.StructField("first_at", TIME),
        T.StructField("last_at", TIME),
        T.StructField("closed_at", TIME),
    ]
)
"""What a day tells of a value: how much, when first, when last, and when something closed it last; null for what its measure
has no use for.
"""

_NUMBERS: dict[str, T.DataType] = {
    "bigint": LONG,
    "int": T.IntegerType(),
    "double": T.DoubleType(),
    "decimal(18,2)": MONEY,
    "decimal(18,3)": QUANTITY,
    "string": STRING,
}


def activity_measures_table(profile: ProfileConfig) -> Table:
    """``silver.activity_measures``: of each identifier and day, what the declared measures need to know of it."""
    columns = tuple(
        Column(
            measure.name,
            _of_a_day(measure),
            f"What the day tells of the measure {measure.name}; null for nothing",
            "direct" if measure.of_values else measure.personal,
        )
        for measure in profile.event_measures
    )
    return Table(
        name="silver.activity_measures",
        comment="One row per identifier and day with an event that a declared measure counts: what that day tells of it",
        columns=(
            Column("identifier_id", STRING, "Primary identifier of the events", "indirect", False),
            Column("activity_on", DAY, "Day (UTC)", "indirect", False),
            *columns,
        ),
        keys=("identifier_id", "activity_on"),
        cluster_by=("identifier_id", "activity_on"),
        deletion_vectors=True,
    )


def _of_a_day(measure: Measure) -> T.DataType:
    if measure.of_values:
        return T.ArrayType(VALUE)
    return {"count": LONG, "first": TIME, "last": TIME}.get(measure.measure, EXACT)


def measure_columns(profile: ProfileConfig) -> tuple[Column, ...]:
    """The columns of a profile, one for each window of each measure, in the declared order."""
    return tuple(
        Column(
            column.name,
            measure_type(measure),
            (measure.comment or f"{measure.measure} {measure.of or ''}".strip()) + _spoken(column.days),
            measure.personal,
        )
        for measure in profile.activity
        for column in measure.columns
    )


def _spoken(days: int | None) -> str:
    return "" if days is None else f", on the last {days} days" if days > 1 else ", on the last day"


def measure_type(measure: Measure) -> T.DataType:
    """The type of each column that a measure makes."""
    if measure.measure == "recent":
        return T.ArrayType(STRING)
    if measure.measure == "open":
        return T.MapType(STRING, TIME)
    kind: T.DataType
    if measure.measure in ("count", "distinct"):
        kind = LONG
    elif measure.measure in ("first", "last"):
        kind = STRING if measure.of is not None else TIME
    else:
        kind = _NUMBERS[measure.type or ("string" if measure.measure == "top" else "decimal(18,2)")]
    return T.MapType(STRING, kind) if measure.by is not None else kind
