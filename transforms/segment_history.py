"""Segment history: which assignments close, which begin, and why. Rows of the past are never rewritten."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.tables.gold import SEGMENT_ASSIGNMENTS


def assignment_changes(
    assigned: DataFrame, current: DataFrame, profiles: DataFrame, as_of: datetime, model_version: str
) -> DataFrame:
    """Rows of ``gold.segment_assignments`` to merge: closed ones with their reason, and new ones.

    ``assigned`` has one row per profile (profile_id, segment, distance); ``current`` the current rows of the same
    scope; ``profiles`` every profile_id that there is, to tell a profile that merged away from one whose purchases went.
    A profile that stays in its segment under the same model gives no row. A segment that changes twice at one ``as_of``
    replaces the row that began then: it was never true for any time. An ``as_of`` before that row began counts as its
    begin: history goes on from where it is.
    """
    asked = F.lit(as_of.isoformat()).cast("timestamp")
    now = F.greatest(asked, F.col("old_valid_from"))  # which skips nulls
    old = current.select(
        "profile_id",
        F.lit(True).alias("was"),
        *(F.col(name).alias(f"old_{name}") for name in SEGMENT_ASSIGNMENTS.column_names if name != "profile_id"),
    )
    alive = profiles.select("profile_id", F.lit(True).alias("alive"))
    both = old.join(assigned, "profile_id", "full").join(alive, "profile_id", "left")
    same_segment = F.col("segment").eqNullSafe(F.col("old_segment"))
    same_model = F.col("old_model_version").eqNullSafe(F.lit(model_version))
    changed = both.where(~(same_segment & same_model))
    began_now = F.coalesce((F.col("old_valid_from") == now) & same_model & F.col("segment").isNotNull(), F.lit(False))
    closed = changed.where(F.col("was") & ~began_now).select(*_closed(now, same_segment))
    begun = changed.where(F.col("segment").isNotNull()).select(*_begun(now, model_version, same_segment, began_now))
    return closed.unionByName(begun)


def _closed(now: Column, same_segment: Column) -> list[Column]:
    because = (
        F.when(F.col("alive").isNull(), "merged away")
        .when(F.col("segment").isNull(), "no purchases")
        .when(same_segment, "model changed")
        .otherwise("moved")
    )
    new = {"profile_id": F.col("profile_id"), "valid_to": now, "is_current": F.lit(False), "closed_because": because}
    return [
        new.get(name, F.col(f"old_{name}") if name != "profile_id" else F.col(name)).alias(name)
        for name in SEGMENT_ASSIGNMENTS.column_names
    ]


def _begun(now: Column, model_version: str, same_segment: Column, began_now: Column) -> list[Column]:
    previous = F.when(began_now, F.col("old_previous_segment")).otherwise(F.col("old_segment"))
    reason = (
        F.when(F.col("was").isNull(), "first")
        .when(began_now, F.col("old_reason"))
        .when(same_segment | (F.col("old_model_version") != F.lit(model_version)), "model changed")
        .otherwise("customer moved")
    )
    values = {
        "profile_id": F.col("profile_id"),
        "valid_from": now,
        "valid_to": F.lit(None).cast("timestamp"),
        "is_current": F.lit(True),
        "segment": F.col("segment"),
        "previous_segment": previous,
        "model_version": F.lit(model_version),
        "distance": F.col("distance"),
        "reason": reason,
        "closed_because": F.lit(None).cast("string"),
    }
    return [values[name].alias(name) for name in SEGMENT_ASSIGNMENTS.column_names]
