"""The one definition of what is measured of a customer; training and serving both call it, so they cannot differ."""

from __future__ import annotations

from datetime import datetime, timezone

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.segments import MEASURES

SHORTEST_HABIT_WEEKS = 4.0
"""An active time counts at least as this long: a few purchases in somebody's first days are no habit yet."""


def segment_features(rfm: DataFrame, as_of: datetime, window_days: int | None = None) -> DataFrame:
    """``gold.rfm`` -> one row per profile: profile_id and ``conf.segments.MEASURES`` as doubles, never null.

    ``recency`` and ``tenure`` are whole days from the date of the last and first purchase to the date of ``as_of``
    (UTC; a purchase after ``as_of`` counts as one of that day). ``purchase_rate`` is purchase days a week between
    both, the first one not counted: 0 for who bought once. ``missed_purchases`` are the purchase days that this rate
    would have brought since the last one. ``window_days`` is the declared window that purchases were counted in: the habit of
    who has bought before it begins with it.
    """
    today = F.lit(as_of.astimezone(timezone.utc).date())
    first, last = F.to_date("first_purchase_at"), F.to_date("last_purchase_at")
    begins = first if window_days is None else F.greatest(first, F.date_sub(today, window_days - 1))
    not_counted = F.when(first < begins, 0).otherwise(1)  # of who bought before the window, every day in it was a return
    active_weeks = F.greatest(F.datediff(last, begins) / 7, F.lit(SHORTEST_HABIT_WEEKS))
    measured = rfm.select(
        "profile_id",
        F.greatest(F.datediff(today, last), F.lit(0)).cast("double").alias("recency"),
        F.col("frequency").cast("double").alias("frequency"),
        F.col("monetary").cast("double").alias("monetary"),
        ((F.col("purchase_days") - not_counted) / active_weeks).cast("double").alias("purchase_rate"),
        F.greatest(F.datediff(today, first), F.lit(0)).cast("double").alias("tenure"),
    )
    missed = F.col("recency") / 7 * F.col("purchase_rate")
    return measured.withColumn("missed_purchases", missed).select("profile_id", *MEASURES)
