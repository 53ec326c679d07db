"""Values with how much there was of each and when, from many rows together: the arrays of ``silver.activity_measures``."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.tables.measures import EXACT


def add_up_values(entries: DataFrame, *keys: str) -> DataFrame:
    """One row per key, column and value: numbers added up, the first and the last time of all."""
    return entries.groupBy(*keys, "column", "value").agg(
        F.try_sum("number").try_cast(EXACT).alias("number"),
        F.min("first_at").alias("first_at"),
        F.max("last_at").alias("last_at"),
        F.max("closed_at").alias("closed_at"),
    )


def collected(name: str) -> Column:
    """The values of a column, in the order of the values."""
    entry = F.struct("value", "number", "first_at", "last_at", "closed_at")
    return F.array_sort(F.collect_list(F.when(F.col("column") == name, entry)))


def in_time(values: Column, moment: str, *, newest: bool) -> Column:
    """Values in the order of a time; those of one moment in their own order."""
    sign = -1 if newest else 1

    def timed(entry: Column) -> Column:
        return F.struct((F.unix_micros(entry[moment]) * sign).alias("micros"), entry.alias("entry"))

    return F.transform(F.array_sort(F.transform(values, timed)), lambda pair: pair["entry"])
