"""Values with how much there was of each and when, from many rows together: the arrays of ``silver.activity_measures``.

No function of an array's elements is used here (``transform``, ``filter``, ``array_sort``): Spark interprets those, and whatever
stands in their arguments, row by row, and that costs several times what grouping does.
"""

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


def one_by_one(entries: list[Column]) -> Column:
    """A row for each of these structs that is there; the others make rows in which everything is null."""
    return F.inline(F.array(*entries))


def micros(moment: str, *, newest: bool) -> Column:
    """A number by which times are in order, the newest or the oldest first."""
    return F.unix_micros(moment) * (-1 if newest else 1)
