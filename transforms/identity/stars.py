"""Connected components in DataFrames, for more links than one task may hold: large stars and small stars in turn.

Every vertex hands its larger neighbours, then its smaller ones, to the smallest vertex that it knows; where neither changes
anything, every component is a star around its smallest vertex (Kiveris et al. 2014). Each step is a shuffle of all links,
and their number never grows. Who runs it writes each step down (:mod:`jobs.solve_at_large`): a plan of all steps would
grow with every one, and sessions may not keep results.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def edges_of(links: DataFrame) -> DataFrame:
    """Links -> edges: ``vertex`` and its smaller neighbour ``root``, each pair once."""
    one, other = F.col("identifier_id"), F.col("other_identifier_id")
    edges = links.where(one != other).select(F.greatest(one, other).alias("vertex"), F.least(one, other).alias("root"))
    return edges.dropDuplicates()


def large_star(edges: DataFrame) -> DataFrame:
    """Every larger neighbour of each vertex, linked to the smallest vertex around it (itself included)."""
    turned = edges.select(F.col("root").alias("vertex"), F.col("vertex").alias("neighbour"))
    around = edges.withColumnRenamed("root", "neighbour").unionAll(turned)
    smallest = around.groupBy("vertex").agg(F.least(F.min("neighbour"), F.col("vertex")).alias("root"))
    larger = around.where(F.col("neighbour") > F.col("vertex")).join(smallest, "vertex", "inner")
    return _edges(larger.select(F.col("neighbour").alias("vertex"), "root"))


def small_star(edges: DataFrame) -> DataFrame:
    """Every smaller neighbour of each vertex, and the vertex itself, linked to the smallest of them."""
    smallest = edges.groupBy("vertex").agg(F.min("root").alias("smallest"))
    others = edges.join(smallest, "vertex", "inner").select(F.col("root").alias("vertex"), F.col("smallest").alias("root"))
    return _edges(others.unionAll(smallest.select("vertex", F.col("smallest").alias("root"))))


def _edges(pairs: DataFrame) -> DataFrame:
    return pairs.where(F.col("vertex") != F.col("root")).dropDuplicates()


def digest() -> tuple[Column, Column]:
    """Two aggregates over edges that stay the same where a step changed nothing."""
    return F.count(F.lit(1)), F.sum(F.xxhash64("vertex", "root").cast("decimal(38,0)"))
