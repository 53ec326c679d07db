"""Recency, frequency and monetary value of every profile that has bought."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import MARGIN, SegmentsConfig
from conf.tables.gold import RFM
from conf.tables.silver import MONEY, QUANTITY
from transforms.profile.activity import counted_as_declared


def score_rfm(
    activity: DataFrame,
    identities: DataFrame,
    segments: SegmentsConfig,
    as_of: datetime | None = None,
    margins: DataFrame | None = None,
) -> DataFrame:
    """Activity (identifier x day) and identities -> one row per profile with a purchase, as ``gold.rfm`` declares.

    Where a window is declared, only purchases of the days that it holds at ``as_of`` count, and who has none of them has
    no row; the first purchase stays the first of all, so that nobody becomes new again. Returns that are netted are taken
    from the money of the day on which they came back, and make no purchase undone: money may be negative. ``margins``
    (identifier_id, activity_on, margin) are needed where the monetary value is the margin.

    Recency is kept as ``last_purchase_at``: the days since then are derived where they are read, so that a quiet day
    rewrites nobody. Money is decimal(18,2), rounded half up where it is a mean.
    """
    held = identities.select("identifier_id", "profile_id")
    days = _money(activity.where(_tells_of_money(segments)), segments, margins).join(held, "identifier_id", "inner")
    days = days.repartition("profile_id")  # once: counting distinct days would move them by profile and day first
    in_window = F.lit(True) if segments.window_days is None else F.col("activity_on") > F.lit(_window_start(segments, as_of))
    bought = in_window & (F.col("purchases") > 0)
    totals = days.groupBy("profile_id").agg(
        F.min("first_purchase_at").alias("first_purchase_at"),
        F.max(F.when(bought, F.col("last_purchase_at"))).alias("last_purchase_at"),
        F.sum(F.when(bought, F.col("purchases"))).alias("purchases"),
        F.countDistinct(F.when(bought, F.col("activity_on"))).alias("purchase_days"),
        F.sum(F.when(bought, F.col("units"))).cast(QUANTITY).alias("units"),
        F.sum(F.when(in_window, F.col("money"))).cast(MONEY).alias("revenue"),
        F.coalesce(F.sum(F.when(in_window, F.col("margin"))), F.lit(0)).cast(MONEY).alias("margin"),
    )
    scored = totals.where(F.col("purchases") > 0)
    return scored.withColumns({"frequency": F.col(segments.frequency), "monetary": _monetary(segments)}).select(*RFM.column_names)


def days_leaving_window(activity: DataFrame, segments: SegmentsConfig, before: datetime, as_of: datetime) -> DataFrame:
    """The rows of activity that the declared window held at ``before`` and no longer holds at ``as_of``."""
    first, last = _window_start(segments, before), _window_start(segments, as_of)
    left = (F.col("activity_on") > F.lit(first)) & (F.col("activity_on") <= F.lit(last))
    return activity.where(left & _tells_of_money(segments))


def margin_by_day(events: DataFrame, segments: SegmentsConfig) -> DataFrame:
    """Events with a mapped margin -> identifier_id, activity_on, margin (decimal); what does not read as money is nothing."""
    kinds = ["purchase", "return"] if segments.returns == "netted" else ["purchase"]
    counted = counted_as_declared(events, segments.purchases).where(
        F.col("event_type").isin(kinds) & F.col("primary_identifier_id").isNotNull()
    )
    margin = F.col("attributes")[MARGIN].try_cast(MONEY)
    return counted.groupBy(F.col("primary_identifier_id").alias("identifier_id"), F.col("occurred_on").alias("activity_on")).agg(
        F.sum(margin).cast(MONEY).alias("margin")
    )


def _window_start(segments: SegmentsConfig, as_of: datetime | None) -> date:
    assert as_of is not None
    assert segments.window_days is not None
    return (as_of.astimezone(timezone.utc) - timedelta(days=segments.window_days)).date()


def _tells_of_money(segments: SegmentsConfig) -> Column:
    bought = F.col("purchases") > 0
    return bought | (F.col("returned") != 0) if segments.returns == "netted" else bought


def _money(days: DataFrame, segments: SegmentsConfig, margins: DataFrame | None) -> DataFrame:
    """Days with ``money`` and ``margin``; a day without a purchase, kept for what came back on it, sold nothing."""
    sold = F.when(F.col("purchases") > 0, F.col("revenue")).otherwise(F.lit(0))
    money = sold + F.col("returned") if segments.returns == "netted" else sold
    with_margin = (
        days.withColumn("margin", F.lit(0)) if margins is None else days.join(margins, ["identifier_id", "activity_on"], "left")
    )
    return with_margin.withColumn("money", money)


def _monetary(segments: SegmentsConfig) -> Column:
    divisor = {"mean_purchase": F.col("purchases"), "mean_day": F.col("purchase_days")}
    total = F.col("margin" if segments.monetary == MARGIN else "revenue")
    return (total / divisor.get(segments.monetary, F.lit(1))).cast(MONEY)
