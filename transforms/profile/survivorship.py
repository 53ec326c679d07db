"""Merge policies: which record's value wins for an attribute, and where it came from."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.profile import Attribute, ProfileConfig
from conf.tables.silver import profile_attributes_table


def surviving_attributes(records: DataFrame, identities: DataFrame, profile: ProfileConfig) -> DataFrame:
    """Records and identities -> one row per profile with a record, in the contract of ``silver.profile_attributes``.

    An empty value is no value. Ties (same policy rank, same time) break by source, then value, so that the order of
    arrival never decides. A value that does not fit the attribute's type is null.
    """
    table = profile_attributes_table(profile)
    held = identities.select(F.col("identifier_id").alias("primary_identifier_id"), "profile_id")
    values = (
        records.join(held, "primary_identifier_id", "inner")
        .select("profile_id", "source", "observed_at", F.explode("attributes").alias("attribute", "value"))
        .where(F.trim("value") != "")
    )
    chosen = _best(values, profile)
    columns = [
        F.max(F.when(F.col("attribute") == a.name, F.expr(f"try_cast(value as {a.type})"))).alias(a.name)
        for a in profile.attributes
    ]
    provenance = F.sort_array(F.collect_list(F.struct("attribute", "source", "observed_at"))).alias("provenance")
    return chosen.groupBy("profile_id").agg(*columns, provenance).select(*table.column_names)


def _best(values: DataFrame, profile: ProfileConfig) -> DataFrame:
    """One row per profile and attribute: the one that the attribute's policy puts first."""
    declared = values.where(F.col("attribute").isin([a.name for a in profile.attributes]))
    same_value = Window.partitionBy("profile_id", "attribute", "value")
    ranked = declared.withColumn("seen", F.count(F.lit(1)).over(same_value))
    order = [
        _rank(profile).asc(),
        F.col("observed_at").desc(),
        F.col("source").asc(),
        F.col("value").asc(),
    ]
    best_first = Window.partitionBy("profile_id", "attribute").orderBy(*order)
    return ranked.withColumn("_rank", F.row_number().over(best_first)).where(F.col("_rank") == 1)


def _rank(profile: ProfileConfig) -> Column:
    """A number that is smaller the better the policy likes the row; equal numbers fall back on the latest."""
    rank = F.lit(0).cast("bigint")
    for attribute in profile.attributes:
        rank = F.when(F.col("attribute") == attribute.name, _policy_rank(attribute)).otherwise(rank)
    return rank


def _policy_rank(attribute: Attribute) -> Column:
    if attribute.policy == "earliest":
        return F.unix_micros("observed_at")
    if attribute.policy == "most_frequent":
        return -F.col("seen")
    if attribute.policy == "source_priority":
        place = F.array_position(F.array(*(F.lit(source) for source in attribute.sources)), F.col("source"))
        return F.when(place == 0, F.lit(len(attribute.sources) + 1)).otherwise(place).cast("bigint")
    return F.lit(0).cast("bigint")
