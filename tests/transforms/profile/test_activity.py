from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from pyspark.sql import SparkSession

from conf.segments import Purchases
from conf.tables.silver import ACTIVITY
from transforms.profile.activity import summarise_activity

SCHEMA = (
    "primary_identifier_id string, event_type string, occurred_at timestamp, order_id string, quantity decimal(18,3), "
    "revenue decimal(18,2), event_id string, source string, occurred_on date"
)
Event = tuple[str | None, str, int, str | None, str | None, str | None]


def summary(
    spark: SparkSession, *events: Event, source: str = "till", purchases: Purchases | None = None
) -> list[dict[str, Any]]:
    """The days that come of events (who, type, hour of 2 January, order, units, money); hours instead of times."""
    times = [datetime(2017, 1, 2, hour, tzinfo=timezone.utc) for _, _, hour, *_ in events]
    rows = [
        (who, kind, times[number], order, units and Decimal(units), money and Decimal(money), f"e{number}", source)
        for number, (who, kind, _, order, units, money) in enumerate(events)
    ]
    frame = spark.createDataFrame([(*row, date(2017, 1, 2)) for row in rows], SCHEMA)
    days = summarise_activity(frame, purchases)
    assert days.columns == list(ACTIVITY.column_names)
    times = [name for name in days.columns if name.endswith("_at")]
    told = days.selectExpr(*(f"hour({n}) as {n}" if n in times else n for n in days.columns)).orderBy("identifier_id")
    return [row.asDict() for row in told.collect()]


def test_a_day_of_an_identifier_is_one_row(spark: SparkSession) -> None:
    (day,) = summary(
        spark,
        ("ann", "app_open", 8, None, None, None),
        ("ann", "product_view", 9, None, None, None),
        ("ann", "add_to_cart", 9, None, None, None),
        ("ann", "purchase", 10, "o1", "2", "3.50"),
        ("ann", "purchase", 11, "o1", "0.5", "1.25"),
        ("ann", "return", 12, "o1", "-1", "-1.75"),
        ("ann", "call", 13, None, None, None),
    )
    assert day == {
        "identifier_id": "ann", "activity_on": date(2017, 1, 2), "events": 7, "purchases": 1, "units": Decimal("2.500"),
        "revenue": Decimal("4.75"), "returns": 1, "returned": Decimal("-1.75"), "product_views": 1, "add_to_carts": 1,
        "app_opens": 1, "calls": 1, "first_at": 8, "last_at": 13, "first_purchase_at": 10, "last_purchase_at": 11,
    }  # fmt: skip


def test_events_of_nobody_are_left_out(spark: SparkSession) -> None:
    days = summary(spark, (None, "purchase", 10, "o1", "1", "1.00"), ("ann", "call", 10, None, None, None))
    assert [day["identifier_id"] for day in days] == ["ann"]


def test_lines_of_one_order_are_one_purchase_and_two_orders_are_two(spark: SparkSession) -> None:
    lines = [("ann", "purchase", 10, order, "1", "1.00") for order in ("o1", "o1", "o2")]
    assert [day["purchases"] for day in summary(spark, *lines)] == [2]


def test_a_purchase_without_an_order_is_an_order_of_its_own(spark: SparkSession) -> None:
    lines = [("ann", "purchase", hour, None, "1", "1.00") for hour in (10, 11)]
    assert [day["purchases"] for day in summary(spark, *lines)] == [2]


def test_an_order_without_a_positive_total_is_no_purchase(spark: SparkSession) -> None:
    (day,) = summary(
        spark,
        ("ann", "purchase", 8, "o1", "1", "2.00"),
        ("ann", "purchase", 9, "o1", "1", "-2.00"),
        ("ann", "purchase", 10, "o2", "1", "1.00"),
    )
    assert (day["purchases"], day["first_purchase_at"], day["revenue"]) == (1, 10, Decimal("1.00"))


def test_a_purchase_without_money_sums_to_nothing(spark: SparkSession) -> None:
    (day,) = summary(spark, ("ann", "purchase", 8, "o1", None, None))
    assert (day["purchases"], day["units"], day["revenue"], day["last_purchase_at"]) == (
        0,
        Decimal("0.000"),
        Decimal("0.00"),
        None,
    )


def test_an_order_is_a_purchase_above_the_declared_total(spark: SparkSession) -> None:
    orders = [("ann", "purchase", 8, "o1", "1", "5.00"), ("ann", "purchase", 9, "o2", "1", "5.01")]
    (day,) = summary(spark, *orders, purchases=Purchases(above=Decimal(5)))
    assert (day["purchases"], day["first_purchase_at"], day["revenue"], day["units"]) == (1, 9, Decimal("5.01"), Decimal(1))


def test_a_line_that_the_declared_condition_is_not_true_of_is_no_part_of_a_purchase(spark: SparkSession) -> None:
    lines = [
        ("ann", "purchase", 8, "staff", "1", "5.00"),
        ("ann", "purchase", 9, "o2", "1", "2.00"),
        ("ann", "call", 9, None, None, None),
    ]
    (day,) = summary(spark, *lines, ("ann", "purchase", 7, None, "1", "1.00"), purchases=Purchases(where="order_id <> 'staff'"))
    assert (day["events"], day["purchases"], day["revenue"], day["units"]) == (4, 1, Decimal("2.00"), Decimal(1))
    assert (day["first_purchase_at"], day["calls"]) == (9, 1)
