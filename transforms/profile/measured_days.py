"""What a day tells of each declared measure of activity.

A day's row says enough of the day to answer for every window, and days add up in any order: a late event rewrites its own
day, a merge or a split moves whole days from profile to profile, and a window that moves on leaves days behind. Nothing
is subtracted.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.activity import Measure
from conf.profile import ProfileConfig
from conf.tables.measures import EXACT, VALUE, activity_measures_table
from transforms.profile.values import add_up_values, micros, one_by_one

_DAY = ("identifier_id", "activity_on")


def measure_days(events: DataFrame, profile: ProfileConfig) -> DataFrame:
    """Events -> one row per primary identifier and day of which a measure tells something, in the contract of
    ``silver.activity_measures``. Events of nobody are left out; a number that does not fit is none.
    """
    table = activity_measures_table(profile)
    named = _with_attributes(events.where(F.col("primary_identifier_id").isNotNull()), profile.event_measures)
    days = named.withColumns({"identifier_id": F.col("primary_identifier_id"), "activity_on": F.col("occurred_on")})
    plain = [measure for measure in profile.event_measures if not measure.of_values]
    valued = [measure for measure in profile.event_measures if measure.of_values]
    rows = days.groupBy(*_DAY).agg(F.count(F.lit(1)).alias("_events"), *(_plain_of_a_day(m).alias(m.name) for m in plain))
    if valued:
        rows = rows.join(_values_of_days(days, valued), list(_DAY), "left")
    told = [F.col(measure.name).isNotNull() for measure in profile.event_measures]
    return rows.where(reduce(or_, told)).select(*table.column_names)


def _with_attributes(events: DataFrame, measures: tuple[Measure, ...]) -> DataFrame:
    """Events with a column for every mapped attribute that a measure names."""
    named = {name for measure in measures for name in measure.event_columns} - set(events.columns)
    # Not `withColumns`: Spark Connect refuses it where no attribute is named.
    return events.select("*", *(F.col("attributes")[name].alias(name) for name in sorted(named)))


def _sql(measure: Measure, key: str) -> Column:
    expression = measure.expression(key)
    assert expression is not None
    return F.expr(expression.sql)


def _counts(measure: Measure) -> Column:
    return _sql(measure, "filter") if measure.filter is not None else F.lit(True)


def _plain_of_a_day(measure: Measure) -> Column:
    counts = _counts(measure)
    if measure.measure == "count":
        return F.nullif(F.count(F.when(counts, 1)), F.lit(0).cast("bigint"))
    if measure.measure in ("first", "last"):
        moment = F.when(counts, F.col("occurred_at"))
        return F.min(moment) if measure.measure == "first" else F.max(moment)
    number = F.when(counts, _sql(measure, "of").try_cast(EXACT))
    return {"sum": F.try_sum, "min": F.min, "max": F.max}[measure.measure](number).try_cast(EXACT)


def _values_of_days(days: DataFrame, measures: list[Measure]) -> DataFrame:
    """One row per identifier and day, a column of values for each measure."""
    told = [entry for measure in measures for entry in _entries_of_an_event(measure)]
    # Brought together before there is a row for each value, so that adding them up moves nothing more.
    entries = days.repartition(*_DAY).select(*_DAY, one_by_one(told)).where(F.col("value").isNotNull())
    values = add_up_values(entries, *_DAY)
    # Columns of their own, ahead of collecting them: Spark compiles what it selects, and interprets what it collects.
    apart = [F.when(F.col("column") == measure.name, _to_collect(measure)).alias(_apart(measure)) for measure in measures]
    return values.select(*_DAY, *apart).groupBy(*_DAY).agg(*(_collected(measure).alias(measure.name) for measure in measures))


def _entries_of_an_event(measure: Measure) -> list[Column]:
    """What an event says of a measure, as structs; null where it says nothing."""
    key = "by" if measure.by is not None else "of"
    value, at = _sql(measure, key).cast("string"), F.col("occurred_at")
    number = F.lit(1)
    if measure.weigh is not None:
        number = _sql(measure, "weigh")
    elif measure.measure == "sum":
        number = _sql(measure, "of")
    entries = [F.when(_counts(measure), _entry(measure, value, number=number, first_at=at, last_at=at))]
    if measure.closed_by is not None:
        entries.append(F.when(_sql(measure, "closed_by"), _entry(measure, value, closed_at=at)))
    return entries


def _entry(measure: Measure, value: Column, **told: Column) -> Column:
    parts = [
        (told[f.name] if f.name in told and f.name in measure.parts else F.lit(None)).try_cast(f.dataType).alias(f.name)
        for f in VALUE.fields[1:]
    ]
    return F.struct(F.lit(measure.name).alias("column"), value.alias("value"), *parts)


def _apart(measure: Measure) -> str:
    return f"entry_{measure.name}"


def _keeps_few(measure: Measure) -> bool:
    """Whether of a day's values only the first in time, or the last, can still matter."""
    return measure.measure == "recent" or (measure.measure in ("first", "last") and measure.by is None)


def _to_collect(measure: Measure) -> Column:
    """A value of a day, with what orders the values in front where only some are kept."""
    moments = [micros(measure.parts[0], newest=measure.measure != "first").alias("micros")] if _keeps_few(measure) else []
    return F.struct(*moments, *VALUE.names)


def _collected(measure: Measure) -> Column:
    """A day's values in their own order, of them those that can still matter; null where there is none."""
    values = F.sort_array(F.collect_list(_apart(measure)))
    if _keeps_few(measure):
        first = F.slice(values, 1, measure.keep if measure.measure == "recent" else 1)
        values = F.sort_array(F.arrays_zip(*(first[name] for name in VALUE.names)).cast(T.ArrayType(VALUE)))
    return F.when(F.size(values) > 0, values)
