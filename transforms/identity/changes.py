"""What moved between two solutions, and why."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.tables.silver import IDENTITY_CHANGES


def identity_changes(before: DataFrame, after: DataFrame, as_of: datetime) -> DataFrame:
    """One row per identifier that was in one profile and is in another, or gone: ``silver.identity_changes``.

    ``before`` and ``after`` are identities of the same scope, so they hold whole profiles. ``as_of`` has a time zone.
    The ``reason`` is told by where the former profile's remaining members went, and where the new one's came from:

    - ``merged``: all went to one profile, where others came from elsewhere;
    - ``split``: they went apart, and this new profile holds no one from elsewhere;
    - ``moved``: they went apart, and this one joined members from elsewhere (a tablet changes hands);
    - ``reanchored``: all went on together and alone, under a new name (a guest registers);
    - ``removed``: the identifier is gone, and ``to_profile_id`` is null.
    """
    former = before.select("identifier_id", F.col("profile_id").alias("from_profile_id"))
    present = after.select("identifier_id", F.col("profile_id").alias("to_profile_id"))
    stayed = former.join(present, "identifier_id", "inner")
    apart = stayed.groupBy("from_profile_id").agg((F.countDistinct("to_profile_id") > 1).alias("apart"))
    joined = stayed.groupBy("to_profile_id").agg((F.countDistinct("from_profile_id") > 1).alias("joined"))
    moved = former.join(present, "identifier_id", "left")
    moved = moved.where(~F.col("from_profile_id").eqNullSafe(F.col("to_profile_id")))
    reason = (
        F.when(F.col("to_profile_id").isNull(), "removed")
        .when(F.col("apart") & F.col("joined"), "moved")
        .when(F.col("apart"), "split")
        .when(F.col("joined"), "merged")
        .otherwise("reanchored")
    )
    told = moved.join(apart, "from_profile_id", "left").join(joined, "to_profile_id", "left")
    told = told.withColumn("changed_at", F.lit(as_of).cast("timestamp")).withColumn("reason", reason)
    return told.select(*IDENTITY_CHANGES.column_names)


def dated_after(changes: DataFrame, written: DataFrame) -> DataFrame:
    """Changes with a ``changed_at`` after all that are ``written`` of the same identifier, whatever ``as_of`` they have.

    What moves there and back at one ``as_of``, or moves at an earlier one, so has an order: the later change comes a
    microsecond after the former. A change that is written as the last one already is left out: a killed run wrote it.
    """
    told = ("changed_at", "from_profile_id", "to_profile_id")
    last = written.groupBy("identifier_id").agg(F.max(F.struct(*told)).alias("last"))
    met = changes.join(last, "identifier_id", "left")
    is_later = F.coalesce(F.col("last.changed_at") < F.col("changed_at"), F.lit(True))
    is_written = F.lit(True)
    for name in told[1:]:
        is_written = is_written & F.col(f"last.{name}").eqNullSafe(F.col(name))
    behind = F.col("last.changed_at") + F.expr("interval 1 microsecond")
    dated = F.when(is_later, F.col("changed_at")).otherwise(behind)
    return met.where(is_later | ~is_written).withColumn("changed_at", dated).select(*changes.columns)
