"""The declared measures of a profile: its days added up, over the windows that end with ``as_of``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.activity import STANDARD_COUNTS, Measure, MeasureColumn
from conf.profile import ProfileConfig
from conf.tables.measures import measure_type
from transforms.profile.days import has_entered, has_left, is_in_window
from transforms.profile.values import add_up_values, micros, one_by_one


def measure_profiles(
    days: DataFrame, activity: DataFrame, identities: DataFrame, profile: ProfileConfig, as_of: date | Column
) -> DataFrame:
    """``silver.activity_measures``, ``silver.activity`` and identities -> one row per profile, with the column of every
    window of every measure, and the standard counts. Counts and sums of nothing are 0, all else is null. A window ends with
    the day of ``as_of``. ``identities`` are ``identifier_id`` and ``profile_id``, and ``as_of`` where that is a column.
    """
    profile = profile.model_copy(update={"activity": (*STANDARD_COUNTS, *profile.activity)})
    held = identities.select("profile_id").distinct()
    parts = [
        _from_activity(_of_profiles(activity, identities), profile, as_of),
        _plain_of_profiles(_of_profiles(days, identities), profile, as_of) if profile.event_measures else None,
        _values_of_profiles(_of_profiles(days, identities), profile, as_of) if profile.event_measures else None,
    ]
    joined = reduce(lambda left, right: left.join(right, "profile_id", "left"), [p for p in parts if p is not None], held)
    finished = joined.select("profile_id", *_finished(profile))
    formulas = {m.name: _formula(m) for m in profile.activity if m.measure == "formula"}
    names = [column.name for _, column in _columns(list(profile.activity))]
    with_formulas = finished.withColumns(formulas) if formulas else finished  # Spark Connect refuses none
    return with_formulas.select("profile_id", *names)


def _of_profiles(days: DataFrame, identities: DataFrame) -> DataFrame:
    return days.join(identities, "identifier_id", "inner")


def _columns(measures: list[Measure]) -> list[tuple[Measure, MeasureColumn]]:
    return [(measure, column) for measure in measures for column in measure.columns]


def _is_in(column: MeasureColumn, as_of: date | Column) -> Column:
    return F.lit(True) if column.days is None else is_in_window(F.col("activity_on"), column.days, as_of)


def _from_activity(days: DataFrame, profile: ProfileConfig, as_of: date | Column) -> DataFrame:
    wanted = _columns([measure for measure in profile.activity if measure.over == "days"])
    sums = [F.try_sum(F.when(_is_in(column, as_of), F.col(str(measure.of)))).alias(column.name) for measure, column in wanted]
    return days.groupBy("profile_id").agg(*sums)


def _plain_of_profiles(days: DataFrame, profile: ProfileConfig, as_of: date | Column) -> DataFrame | None:
    wanted = _columns([measure for measure in profile.event_measures if not measure.of_values])
    together: dict[str, Callable[[Column], Column]] = {"min": F.min, "first": F.min, "max": F.max, "last": F.max}
    totals = [
        together.get(measure.measure, F.try_sum)(F.when(_is_in(column, as_of), F.col(measure.name))).alias(column.name)
        for measure, column in wanted
    ]
    return days.groupBy("profile_id").agg(*totals) if totals else None


def _values_of_profiles(days: DataFrame, profile: ProfileConfig, as_of: date | Column) -> DataFrame | None:
    wanted = _columns([measure for measure in profile.event_measures if measure.of_values])
    if not wanted:
        return None
    kept = [
        F.when(_is_in(column, as_of), F.struct(F.lit(column.name).alias("column"), F.col(measure.name).alias("told")))
        for measure, column in wanted
    ]
    by_column = days.repartition("profile_id").select("profile_id", one_by_one(kept)).where(F.col("told").isNotNull())
    by_value = add_up_values(by_column.select("profile_id", "column", F.inline("told")), "profile_id")
    # Columns of their own, ahead of the aggregation: Spark compiles what it selects, and interprets what it collects.
    apart = [F.when(F.col("column") == column.name, _of_a_value(m)).alias(f"of_{column.name}") for m, column in wanted]
    of_profile = by_value.select("profile_id", *apart).groupBy("profile_id")
    return of_profile.agg(*(_of_values(m, F.col(f"of_{column.name}")).alias(column.name) for m, column in wanted))


def _finished(profile: ProfileConfig) -> list[Column]:
    """The columns as the profile has them, of one without any such event, too; formulas are still to come."""
    finished = []
    for measure, column in _columns([m for m in profile.activity if m.measure != "formula"]):
        made = F.col(column.name)
        if measure.measure in ("count", "sum", "distinct") and measure.by is None:
            made = F.coalesce(made, F.lit(0))
        finished.append(made.try_cast(measure_type(measure)).alias(column.name))
    return finished


def _of_a_value(measure: Measure) -> Column:
    """What a value, with all that was added up of it, says of a measure; null where it says nothing."""
    value = F.col("value")
    if measure.by is not None:
        return _entry(measure.parts[0])
    if measure.measure == "distinct":
        return F.lit(1)
    if measure.measure == "open":
        is_open = F.col("closed_at").isNull() | (F.col("last_at") > F.col("closed_at"))
        return F.when(F.col("last_at").isNotNull() & is_open, _entry("last_at"))
    if measure.measure == "top":  # of equals the one seen last, then the first in order
        most = F.struct((-F.col("number")).alias("most"), micros("last_at", newest=True).alias("newest"), value)
        return F.when(F.col("number").isNotNull(), most)
    return F.struct(micros(measure.parts[0], newest=measure.measure != "first").alias("moment"), value)


def _entry(part: str) -> Column:
    return F.struct(F.col("value").alias("key"), F.col(part).alias("value"))


def _of_values(measure: Measure, told: Column) -> Column:
    """What all values say of a measure."""
    if measure.by is not None or measure.measure == "open":
        entries = F.sort_array(F.collect_list(told))
        return F.when(F.size(entries) > 0, F.map_from_entries(entries))
    if measure.measure == "distinct":
        return F.count(told)
    if measure.measure == "recent":
        newest = F.slice(F.sort_array(F.collect_list(told)), 1, measure.keep)
        return F.when(F.size(newest) > 0, newest["value"])
    return F.min(told)["value"]


def _formula(measure: Measure) -> Column:
    expression = measure.expression("of")
    assert expression is not None
    return F.expr(expression.sql).try_cast(measure_type(measure))


def days_crossing(days: DataFrame, profile: ProfileConfig, before: date, as_of: date) -> DataFrame:
    """Of ``silver.activity`` or ``silver.activity_measures`` the rows of days that a window lost or gained between the two
    days of ``as_of``, and that tell something of its measure: identifiers, with repeats.
    """
    day = F.col("activity_on")
    crossing = [
        (has_left(day, column.days, before, as_of) | has_entered(day, before, as_of)) & _tells(measure)
        for measure, column in _columns([measure for measure in profile.activity if measure.measure != "formula"])
        if column.days is not None and _source_of(measure) in days.columns
    ]
    return days.where(reduce(or_, crossing, F.lit(False))).select("identifier_id")


def _source_of(measure: Measure) -> str:
    return str(measure.of) if measure.over == "days" else measure.name


def _tells(measure: Measure) -> Column:
    told = F.col(_source_of(measure))
    return (told != 0) if measure.over == "days" else told.isNotNull()
