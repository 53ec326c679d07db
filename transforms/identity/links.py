"""Links: which identifiers were seen together, when, how often and by which source.

A row is about its primary identifier, so it links that one to each of the others; the others reach each other through
it. A row also shows its primary identifier by itself (a link to itself), so that one that never comes with another is
known, too. Blocked identifiers (placeholders) are listed with the primary identifiers that they came with; they never
enter the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.identity.normalise import BLOCKED
from transforms.name_sets import set_of_names

LINK_KEYS = ("identifier_id", "other_identifier_id")
LINK_ENDS = ("identifier_id", "namespace", "value", "other_identifier_id", "other_namespace", "other_value")


def sightings(rows: DataFrame) -> DataFrame:
    """One row per pair that a row of ``rows`` shows: its ends, ``seen_at``, ``source``, and ``blocked``: why the other
    one never links, null where it does.

    ``rows`` has ``identifiers`` (strongest first), ``seen_at`` and ``source``. A row in which every identifier is blocked
    is nobody's and shows nothing. Because identifiers of one namespace are in the order of their values, two
    identifiers are always linked in the same direction.
    """
    usable = F.filter("identifiers", lambda identifier: identifier["blocked"].isNull())
    # Before the identifiers become rows: after it, the array would be searched once for each of them.
    about = rows.select("seen_at", "source", F.get(usable, F.lit(0)).alias("primary"), "identifiers")
    shown = about.where(F.col("primary").isNotNull()).select(
        "seen_at", "source", "primary", F.explode("identifiers").alias("other")
    )
    return shown.select(
        F.col("primary.identifier_id").alias("identifier_id"),
        F.col("primary.namespace").alias("namespace"),
        F.col("primary.value").alias("value"),
        F.col("other.identifier_id").alias("other_identifier_id"),
        F.col("other.namespace").alias("other_namespace"),
        F.col("other.value").alias("other_value"),
        F.col("other.blocked").alias("blocked"),
        "seen_at",
        "source",
    )


def link_identifiers(seen: DataFrame, sources: Sequence[str] = ()) -> DataFrame:
    """Sightings -> one row per pair: ``first_seen`` and ``last_seen`` (UTC), ``times`` (rows that show it), ``sources``
    (sorted), and ``blocked``. A sighting without a time counts and dates nothing.

    A pair with ``blocked`` is no link, only listed with its reason. One that some rows show blocked (a number that is
    a placeholder as it was written there) and others not is a link, and only those others count.

    ``sources`` are the names of all that there are, from a caller who knows them: then all that is put together are numbers,
    which Spark does in place, instead of sorting the sightings to collect names. The links are the same.
    """
    counts = F.col("blocked").isNull()
    links = F.max(counts)

    def of_those_that_count(aggregate: Callable[[Column], Column], value: Column) -> Column:
        return F.when(links, aggregate(F.when(counts, value))).otherwise(aggregate(value))

    reasons = F.array(*(F.lit(reason) for reason in sorted(BLOCKED)))
    reason = F.get(reasons, (F.max(F.array_position(reasons, F.col("blocked"))) - 1).cast("int"))
    return seen.groupBy(*LINK_ENDS).agg(
        of_those_that_count(F.min, F.col("seen_at")).alias("first_seen"),
        of_those_that_count(F.max, F.col("seen_at")).alias("last_seen"),
        F.when(links, F.count_if(counts)).otherwise(F.count(F.lit(1))).alias("times"),
        of_those_that_count(partial(set_of_names, names=sources), F.col("source")).alias("sources"),
        F.when(~links, reason).alias("blocked"),
    )
