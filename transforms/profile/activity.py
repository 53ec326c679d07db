"""What each identifier did on each day: the state from which windows, late events, merges and splits are cheap."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import Purchases
from conf.tables.silver import ACTIVITY, MONEY, QUANTITY


def summarise_activity(events: DataFrame, purchases: Purchases | None = None) -> DataFrame:
    """Events -> one row per primary identifier and day, in the contract of ``silver.activity``.

    Events of nobody (no identifier) are left out. ``purchases`` counts orders whose purchase lines of the day come to
    more than is declared (0); an event without ``order_id`` is an order of its own, and a purchase that the declared condition
    is not true of is an event like any other. Money is summed exactly, in decimal(18,2).
    """
    declared = purchases or Purchases()
    named = counted_as_declared(events.where(F.col("primary_identifier_id").isNotNull()), declared)
    by_order = named.groupBy(
        F.col("primary_identifier_id").alias("identifier_id"),
        F.col("occurred_on").alias("activity_on"),
        "source",
        "order_id",
        _own_order().alias("own_order"),
    ).agg(
        F.count(F.lit(1)).alias("events"),
        _sum_of("purchase", "quantity").alias("units"),
        _sum_of("purchase", "revenue").alias("revenue"),
        _count_of("return").alias("returns"),
        _sum_of("return", "revenue").alias("returned"),
        _count_of("product_view").alias("product_views"),
        _count_of("add_to_cart").alias("add_to_carts"),
        _count_of("app_open").alias("app_opens"),
        _count_of("call").alias("calls"),
        F.min("occurred_at").alias("first_at"),
        F.max("occurred_at").alias("last_at"),
        F.min(_only("purchase", "occurred_at")).alias("first_line_at"),
        F.max(_only("purchase", "occurred_at")).alias("last_line_at"),
    )
    is_purchase = F.col("revenue") > F.lit(declared.above)
    units, revenue = F.sum("units"), F.sum("revenue")
    if declared.above > 0:
        counts = is_purchase | (F.col("revenue") <= 0)
        units, revenue = (F.sum(F.when(counts, F.col(name)).otherwise(F.lit(0))) for name in ("units", "revenue"))
    by_day = by_order.groupBy("identifier_id", "activity_on").agg(
        F.sum("events").alias("events"),
        F.count(F.when(is_purchase, 1)).alias("purchases"),
        units.cast(QUANTITY).alias("units"),
        revenue.cast(MONEY).alias("revenue"),
        F.sum("returns").alias("returns"),
        F.sum("returned").cast(MONEY).alias("returned"),
        *(F.sum(name).alias(name) for name in ("product_views", "add_to_carts", "app_opens", "calls")),
        F.min("first_at").alias("first_at"),
        F.max("last_at").alias("last_at"),
        F.min(F.when(is_purchase, F.col("first_line_at"))).alias("first_purchase_at"),
        F.max(F.when(is_purchase, F.col("last_line_at"))).alias("last_purchase_at"),
    )
    return by_day.select(*ACTIVITY.column_names)


def counted_as_declared(events: DataFrame, purchases: Purchases) -> DataFrame:
    """The same events; a purchase that the declared condition is not true of has no ``event_type``."""
    if purchases.condition is None:
        return events
    is_other = (F.col("event_type") == "purchase") & ~F.expr(purchases.condition)
    return events.withColumn("event_type", F.when(~is_other, F.col("event_type")))


def _own_order() -> Column:
    """Purchases without an order are orders of their own; other events need no order and share one group."""
    alone = F.col("order_id").isNull() & (F.col("event_type") == "purchase")
    return F.when(alone, F.concat_ws("|", "source", "event_id"))


def _only(event_type: str, column: str) -> Column:
    return F.when(F.col("event_type") == event_type, F.col(column))


def _count_of(event_type: str) -> Column:
    return F.count(_only(event_type, "event_id"))


def _sum_of(event_type: str, column: str) -> Column:
    return F.coalesce(F.sum(_only(event_type, column)), F.lit(0))
