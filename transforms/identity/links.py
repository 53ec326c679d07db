"""Links: which identifiers were seen together, when, how often and by which source.

A row is about its primary identifier, so it links that one to each of the others; the others reach each other through
it. A row also shows its primary identifier by itself (a link to itself), so that one that never comes with another is
known, too. Blocked identifiers (placeholders) are listed with the primary identifiers that they came with; they never
enter the graph.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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
    shown = rows.select("seen_at", "source", F.get(usable, F.lit(0)).alias("primary"), F.explode("identifiers").alias("other"))
    return shown.where(F.col("primary").isNotNull()).select(
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


def link_identifiers(seen: DataFrame) -> DataFrame:
    """Sightings -> one row per pair: ``first_seen`` and ``last_seen`` (UTC), ``times`` (rows that show it), ``sources``
    (sorted), and ``blocked``. A sighting without a time counts and dates nothing.

    A pair with ``blocked`` is no link, only listed with its reason. One that some rows show blocked (a number that is
    a placeholder as it was written there) and others not is a link, and only those others count.
    """
    counts = F.col("blocked").isNull()
    links = F.max(counts)
    return seen.groupBy(*LINK_ENDS).agg(
        F.when(links, F.min(F.when(counts, F.col("seen_at")))).otherwise(F.min("seen_at")).alias("first_seen"),
        F.when(links, F.max(F.when(counts, F.col("seen_at")))).otherwise(F.max("seen_at")).alias("last_seen"),
        F.when(links, F.count_if(counts)).otherwise(F.count(F.lit(1))).alias("times"),
        F.array_sort(F.when(links, F.collect_set(F.when(counts, F.col("source")))).otherwise(F.collect_set("source"))).alias(
            "sources"
        ),
        F.when(~links, F.max("blocked")).alias("blocked"),
    )
