"""Links: which identifiers were seen together, when, how often and by which source.

A row is about its primary identifier, so it links that one to each of the others; the others reach each other through
it. A row also shows its primary identifier by itself (a link to itself), so that one that never comes with another is
known, too.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

LINK_KEYS = ("identifier_id", "other_identifier_id")
LINK_ENDS = ("identifier_id", "namespace", "value", "other_identifier_id", "other_namespace", "other_value")


def sightings(rows: DataFrame) -> DataFrame:
    """One row per link that a row of ``rows`` shows: its ends, ``seen_at``, ``source``.

    ``rows`` has ``identifiers`` (strongest first), ``seen_at`` and ``source``. Blocked identifiers show nothing here
    (see :func:`blocked_identifiers`); a row without any other shows nothing at all. Because identifiers of one
    namespace are in the order of their values, two identifiers are always linked in the same direction.
    """
    usable = F.filter("identifiers", lambda identifier: identifier["blocked"].isNull())
    shown = rows.select("seen_at", "source", usable.alias("usable"))
    pairs = shown.select("seen_at", "source", F.get("usable", F.lit(0)).alias("primary"), F.explode("usable").alias("other"))
    return pairs.select(
        F.col("primary.identifier_id").alias("identifier_id"),
        F.col("primary.namespace").alias("namespace"),
        F.col("primary.value").alias("value"),
        F.col("other.identifier_id").alias("other_identifier_id"),
        F.col("other.namespace").alias("other_namespace"),
        F.col("other.value").alias("other_value"),
        "seen_at",
        "source",
    )


def link_identifiers(seen: DataFrame) -> DataFrame:
    """Sightings -> one row per link: ``first_seen`` and ``last_seen`` (UTC), ``times`` (rows that show it), ``sources``
    (sorted). A sighting without a time counts and dates nothing.
    """
    return seen.groupBy(*LINK_ENDS).agg(
        F.min("seen_at").alias("first_seen"),
        F.max("seen_at").alias("last_seen"),
        F.count(F.lit(1)).alias("times"),
        F.array_sort(F.collect_set("source")).alias("sources"),
    )


def blocked_identifiers(rows: DataFrame) -> DataFrame:
    """One row per blocked identifier of ``rows``, with why it is ``blocked``, when it was seen, how often and by whom.

    They never enter the graph; this is the list of them. Takes the same rows as :func:`sightings`.
    """
    carried = rows.select("seen_at", "source", F.explode("identifiers").alias("identifier"))
    blocked = carried.where(F.col("identifier.blocked").isNotNull()).select("seen_at", "source", "identifier.*")
    return blocked.groupBy("identifier_id", "namespace", "value", "blocked").agg(
        F.min("seen_at").alias("first_seen"),
        F.max("seen_at").alias("last_seen"),
        F.count(F.lit(1)).alias("times"),
        F.array_sort(F.collect_set("source")).alias("sources"),
    )
