"""Which of a few names there are, as an aggregate that adds up in place."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column
from pyspark.sql import functions as F

BITS = 63
"""Names that a whole number has room for."""


def set_of_names(name: Column, names: Collection[str] = ()) -> Column:
    """Aggregate: the different values of ``name``, sorted; nulls are none.

    ``names`` are all that there may be, from a caller who knows them, and others are lost. As bits of a number Spark adds them
    up in its hash table; without them, or for more than a number has room for, it sorts all rows to collect texts.
    """
    if not 0 < len(names) <= BITS:
        return F.array_sort(F.collect_set(name))
    ordered = sorted(names)
    bits = F.array(*(F.lit(1 << place) for place in range(len(ordered))))
    position = F.array_position(F.array(*(F.lit(one) for one in ordered)), name)
    found = F.bit_or(F.get(bits, (position - 1).cast("int")))
    told = [F.when(found.bitwiseAND(F.lit(1 << place)) != 0, F.lit(one)) for place, one in enumerate(ordered)]
    return F.array_compact(F.array(*told))
