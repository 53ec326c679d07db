"""Recency, frequency and monetary value of every profile that has bought."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import SegmentsConfig
from conf.tables.gold import RFM
from conf.tables.silver import MONEY, QUANTITY


def score_rfm(activity: DataFrame, identities: DataFrame, segments: SegmentsConfig) -> DataFrame:
    """Activity (identifier x day) and identities -> one row per profile with a purchase, as ``gold.rfm`` declares.

    Recency is kept as ``last_purchase_at``: the days since then are derived where they are read, so that a quiet day
    rewrites nobody. Money is decimal(18,2), rounded half up where it is a mean.
    """
    days = activity.where(F.col("purchases") > 0).join(identities.select("identifier_id", "profile_id"), "identifier_id", "inner")
    totals = days.groupBy("profile_id").agg(
        F.min("first_purchase_at").alias("first_purchase_at"),
        F.max("last_purchase_at").alias("last_purchase_at"),
        F.sum("purchases").alias("purchases"),
        F.countDistinct("activity_on").alias("purchase_days"),
        F.sum("units").cast(QUANTITY).alias("units"),
        F.sum("revenue").cast(MONEY).alias("revenue"),
    )
    scored = totals.withColumns({"frequency": F.col(segments.frequency), "monetary": _monetary(segments)})
    return scored.select(*RFM.column_names)


def _monetary(segments: SegmentsConfig) -> Column:
    divisor = {"sum": F.lit(1), "mean_purchase": F.col("purchases"), "mean_day": F.col("purchase_days")}
    return (F.col("revenue") / divisor[segments.monetary]).cast(MONEY)
