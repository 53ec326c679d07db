"""Solving in parts: components dealt out to tasks, each of which solves its own.

The argument is the one of :mod:`transforms.identity.scope`: a union of whole components can be solved alone, where links that
lead out of it are not followed and keep their reason. Here every *part* is such a union, and the parts together are
everything. What a link's fate is outside of any component, whether it is unlinked, expired or ends at a hub, is said
in SQL ahead of it (:func:`judged`); components come from :mod:`transforms.identity.stars`; a part is solved by the same code
that solves everything in one task, so what a limit severs, who the anchor is and what is said of each identifier are its
to say. An identifier at the far end of a link that leads out of a part comes out unfinished there; its own part finishes
it.
"""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.identity.packing import OWNS, SOLVED
from transforms.identity.resolve import solved_part
from transforms.identity.rules import Pair, ResolutionRules
from transforms.identity.scope import is_expired, max_linked

_PAIR = "identifier_id string, other_identifier_id string"


def judged(links: DataFrame, rules: ResolutionRules) -> DataFrame:
    """Links with ``fate``: why one is not followed whatever it would join; null where it is, or is only listed.

    The first of: ``settled`` where the links have it, unlinked, decided (then it is followed), expired, hub. ``links`` as
    :func:`transforms.identity.resolve.solve` takes them.
    """
    names = links.columns
    flagged = _flag(_flag(links, rules.decided_unlinks, "_unlinked"), rules.decided_links, "_decided")
    expired = (F.col("identifier_id") != F.col("other_identifier_id")) & is_expired(rules)
    flagged = flagged.withColumn("_expired", expired)
    hubs = _hubs(flagged.where(_is_link(flagged)), rules)
    flagged = flagged.join(hubs.withColumn("_hub", F.lit(True)), "identifier_id", "left")
    other = hubs.select(F.col("identifier_id").alias("other_identifier_id"), F.lit(True).alias("_other_hub"))
    flagged = flagged.join(other, "other_identifier_id", "left")
    ends_at_hub = (F.col("identifier_id") != F.col("other_identifier_id")) & (F.col("_hub") | F.col("_other_hub"))
    fate = F.when(F.col("_unlinked"), "unlinked").when(F.col("_decided"), None).when(F.col("_expired"), "expired")
    fate = fate.when(ends_at_hub, "hub")
    if "settled" in names:
        fate = F.when(F.col("settled").isNotNull(), F.col("settled")).otherwise(fate)
    return flagged.select(*names, F.when(_is_link(links), fate).alias("fate"))


def _is_link(links: DataFrame) -> Column:
    return F.col("blocked").isNull() if "blocked" in links.columns else F.lit(True)


def _flag(links: DataFrame, pairs: tuple[Pair, ...], name: str) -> DataFrame:
    """Links with a column that is true where they, in either direction, are one of the pairs."""
    if not pairs:
        return links.withColumn(name, F.lit(False))
    both_ways = [*pairs, *((other, one) for one, other in pairs)]
    flags = links.sparkSession.createDataFrame(both_ways, _PAIR).withColumn(name, F.lit(True))
    return links.join(F.broadcast(flags), ["identifier_id", "other_identifier_id"], "left").withColumn(
        name, F.coalesce(name, F.lit(False))
    )


def _hubs(links: DataFrame, rules: ResolutionRules) -> DataFrame:
    """``identifier_id`` of each that is linked to more others than its namespace allows, expired links left out."""
    alive = links.where((F.col("identifier_id") != F.col("other_identifier_id")) & ~F.col("_expired"))
    ends = alive.select("identifier_id", "namespace", F.col("other_identifier_id").alias("near"))
    turned = alive.select(
        F.col("other_identifier_id").alias("identifier_id"),
        F.col("other_namespace").alias("namespace"),
        F.col("identifier_id").alias("near"),
    )
    # Counted with repetitions first: only those over the limit even so are looked at closer.
    both = ends.unionAll(turned)
    suspects = (
        both.groupBy("identifier_id", "namespace").agg(F.count(F.lit(1)).alias("n")).where(F.col("n") > max_linked(rules.config))
    )
    distinct = both.join(suspects.select("identifier_id"), "identifier_id", "left_semi")
    degree = distinct.groupBy("identifier_id", "namespace").agg(F.countDistinct("near").alias("degree"))
    return degree.where(F.col("degree") > max_linked(rules.config)).select("identifier_id")


def followed(judged_links: DataFrame, rules: ResolutionRules) -> DataFrame:
    """The pairs that components are made of: followed links, and people's links between any two that were seen."""
    is_followed = F.col("fate").isNull() & _is_link(judged_links)
    pairs = judged_links.where(is_followed).select("identifier_id", "other_identifier_id")
    if not rules.decided_links:
        return pairs
    ends = judged_links.where(_is_link(judged_links)).select(
        F.explode(F.array("identifier_id", "other_identifier_id")).alias("end")
    )
    decided = judged_links.sparkSession.createDataFrame(list(rules.decided_links), _PAIR)
    for name in ("identifier_id", "other_identifier_id"):
        decided = decided.join(ends.withColumnRenamed("end", name), name, "left_semi")
    return pairs.unionByName(decided.select("identifier_id", "other_identifier_id"))


def dealt_out(judged_links: DataFrame, edges: DataFrame, parts: int) -> DataFrame:
    """Links by ``part``: each once for every part that one of its ends belongs to.

    ``edges`` are stars: a ``vertex`` and the ``root`` of its component. Components are dealt out by their roots. ``owns_one``
    and ``owns_other`` say whose end is the part's own; between two parts, ``settled`` is the link's fate.
    """

    def part_of(end: str) -> Column:
        return F.pmod(F.xxhash64(F.coalesce(F.col(f"_root_{end}"), F.col(end))), F.lit(parts)).cast("int")

    dealt = judged_links
    for end in ("identifier_id", "other_identifier_id"):
        roots = edges.select(F.col("vertex").alias(end), F.col("root").alias(f"_root_{end}"))
        dealt = dealt.join(roots, end, "left")
    is_link = _is_link(judged_links)
    dealt = dealt.withColumn("_one", part_of("identifier_id"))
    dealt = dealt.withColumn("_other", F.when(is_link, part_of("other_identifier_id")).otherwise(F.col("_one")))
    apart = F.col("_one") != F.col("_other")
    settled = F.when(apart, F.col("fate"))
    if "settled" in judged_links.columns:
        settled = F.coalesce(F.col("settled"), settled)
    dealt = dealt.withColumn("settled", settled)
    dealt = dealt.withColumn("part", F.explode(F.array_distinct(F.array("_one", "_other"))))
    dealt = dealt.withColumns({OWNS[0]: F.col("part") == F.col("_one"), OWNS[1]: F.col("part") == F.col("_other")})
    names = [name for name in judged_links.columns if name not in ("fate", "settled")]
    return dealt.select(*names, "settled", "part", *OWNS)


def solve_parts(dealt: DataFrame, rules: ResolutionRules) -> DataFrame:
    """Links by part -> the packed frame that :func:`transforms.identity.resolve.solve` gives for all of them."""

    def solve_part(part: pa.Table) -> pa.Table:  # Spark reads its type hints, which a partial function has not
        return pa.Table.from_batches(list(solved_part(part.drop_columns(["part"]), rules)))

    return dealt.groupBy("part").applyInArrow(solve_part, SOLVED)
