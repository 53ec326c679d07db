"""Why a row is refused: the names of all checks that it fails."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F


def failed(name: str, conditions: list[Column]) -> Column:
    """``name`` where a condition is not true (a condition that is null is not true); null where all are."""
    if not conditions:
        return F.lit(None).cast("string")
    all_true = reduce(lambda left, right: left & right, [F.coalesce(condition, F.lit(False)) for condition in conditions])
    return F.when(~all_true, F.lit(name))


def reasons_of(unparsed: Column, *checks: Column) -> Column:
    """All names in the given arrays, each once, in order. A row that could not be read has that one reason: every other
    check would only repeat it.
    """
    every = F.array_distinct(F.array_compact(F.concat(*checks)))
    return F.when(unparsed.isNotNull(), F.array(F.lit("unparsed"))).otherwise(every)
