"""Solve at large: who is who, for more links than one task may hold. Components in DataFrames, each step written down."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from jobs.runtime.lake import Lake
from jobs.runtime.scratch import scratch
from transforms.identity.at_large import dealt_out, followed, judged, solve_parts
from transforms.identity.rules import ResolutionRules
from transforms.identity.stars import digest, edges_of, large_star, small_star

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def solve_at_large(spark: SparkSession, lake: Lake, links: DataFrame, rules: ResolutionRules, parts: int) -> DataFrame:
    """What :func:`transforms.identity.resolve.solve` gives, in the memory of a part: the links of some components."""
    known = scratch(spark, lake, "links_judged", judged(links, rules))
    stars = contract_to_stars(spark, lake, edges_of(followed(known, rules)))
    return solve_parts(dealt_out(known, stars, parts), rules)


def contract_to_stars(spark: SparkSession, lake: Lake, edges: DataFrame) -> DataFrame:
    """Edges -> stars: each component's vertices, linked to its smallest one."""
    edges, before = scratch(spark, lake, "edges", edges), None
    for step in count():
        large = scratch(spark, lake, "large_stars", large_star(edges))
        edges = scratch(spark, lake, f"small_stars_{step % 2}", small_star(large))  # what is read is not written over
        now = edges.agg(*digest()).first()
        if now == before:
            break
        before = now
    return edges
