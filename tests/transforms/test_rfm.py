from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from conf.project import load_project
from conf.segments import Purchases
from conf.tables.gold import RFM
from transforms.rfm import days_leaving_window, margin_by_day, score_rfm

SEGMENTS = load_project().segments
SCHEMA = (
    "identifier_id string, activity_on date, purchases bigint, units decimal(18,3), revenue decimal(18,2), "
    "returned decimal(18,2), first_purchase_at timestamp, last_purchase_at timestamp"
)
AS_OF = datetime(2017, 1, 31, 20, tzinfo=timezone.utc)
HELD = {"card": "ann", "mail": "ann", "browser": "bob"}
# Ann bought twice on one day, once of it by e-mail, and twice on another.
ANN = [("card", 1, 1, "10.00"), ("mail", 1, 1, "5.00"), ("card", 3, 2, "5.00")]


def activity(spark: SparkSession, days: list[tuple[Any, ...]]) -> DataFrame:
    """Activity from (identifier, day of January, purchases, money, money of returns); one unit a purchase, at noon."""
    rows = []
    for who, day, number, money, *returned in days:
        at = datetime(2017, 1, day, 12, tzinfo=timezone.utc) if number else None
        back = Decimal(*returned) if returned else Decimal(0)
        rows.append((who, date(2017, 1, day), number, Decimal(number), Decimal(money), back, at, at))
    return spark.createDataFrame(rows, SCHEMA)


def scores(spark: SparkSession, days: list[tuple[Any, ...]], margins: DataFrame | None = None, **declared: Any) -> list[Row]:
    identities = spark.createDataFrame(list(HELD.items()), "identifier_id string, profile_id string")
    scored = score_rfm(activity(spark, days), identities, SEGMENTS.model_copy(update=declared), AS_OF, margins)
    assert scored.columns == list(RFM.column_names)
    return scored.selectExpr("*", "day(first_purchase_at) as first_day", "day(last_purchase_at) as last_day").collect()


def test_all_identifiers_of_a_profile_are_added_up(spark: SparkSession) -> None:
    (ann,) = scores(spark, ANN)
    found = (ann.profile_id, ann.first_day, ann.last_day, ann.purchases, ann.purchase_days, ann.units, ann.revenue)
    assert found == ("ann", 1, 3, 4, 2, Decimal("4.000"), Decimal("20.00"))


def test_who_never_bought_has_no_score(spark: SparkSession) -> None:
    assert [row.profile_id for row in scores(spark, [("card", 1, 1, "1.00"), ("browser", 1, 0, "0.00")])] == ["ann"]


def test_days_without_a_purchase_add_nothing(spark: SparkSession) -> None:
    (ann,) = scores(spark, [("card", 1, 1, "1.00"), ("card", 9, 0, "0.00")])
    assert (ann.purchase_days, ann.last_day) == (1, 1)


@pytest.mark.parametrize(("frequency", "expected"), [("purchases", 4), ("purchase_days", 2)])
def test_frequency_is_purchases_or_days_as_declared(spark: SparkSession, frequency: str, expected: int) -> None:
    assert [row.frequency for row in scores(spark, ANN, frequency=frequency)] == [expected]


@pytest.mark.parametrize(("monetary", "expected"), [("sum", "20.00"), ("mean_purchase", "5.00"), ("mean_day", "10.00")])
def test_money_is_a_total_or_a_mean_as_declared(spark: SparkSession, monetary: str, expected: str) -> None:
    assert [row.monetary for row in scores(spark, ANN, monetary=monetary)] == [Decimal(expected)]


def test_a_mean_is_rounded_half_up_to_the_cent(spark: SparkSession) -> None:
    assert [row.monetary for row in scores(spark, [("card", 1, 8, "0.20")], monetary="mean_purchase")] == [Decimal("0.03")]


def test_a_window_holds_its_days_and_that_of_as_of(spark: SparkSession) -> None:
    (ann,) = scores(spark, [("card", 21, 1, "1.00"), ("card", 22, 1, "2.00"), ("card", 31, 1, "4.00")], window="10d")
    assert (ann.purchases, ann.revenue, ann.last_day) == (2, Decimal("6.00"), 31)


def test_the_first_purchase_is_that_before_the_window_too(spark: SparkSession) -> None:
    assert [row.first_day for row in scores(spark, [("card", 2, 1, "1.00"), ("card", 31, 1, "1.00")], window="10d")] == [2]


def test_who_has_no_purchase_in_the_window_has_no_score(spark: SparkSession) -> None:
    assert scores(spark, ANN, window="10d") == []


@pytest.mark.parametrize(("returns", "expected"), [("ignored", "15.00"), ("netted", "3.00")])
def test_returns_are_taken_from_the_money_where_declared(spark: SparkSession, returns: str, expected: str) -> None:
    days = [("card", 1, 1, "15.00", "-5.00"), ("card", 9, 0, "0.00", "-7.00")]
    (ann,) = scores(spark, days, returns=returns)
    assert (ann.monetary, ann.purchases, ann.purchase_days, ann.last_day) == (Decimal(expected), 1, 1, 1)


def test_more_may_come_back_than_was_bought(spark: SparkSession) -> None:
    assert [row.revenue for row in scores(spark, [("card", 9, 1, "5.00", "-7.50")], returns="netted")] == [Decimal("-2.50")]


def test_who_only_brought_back_has_no_score(spark: SparkSession) -> None:
    assert scores(spark, [("card", 9, 0, "0.00", "-7.50")], returns="netted") == []


def test_money_is_the_mapped_margin_where_declared(spark: SparkSession) -> None:
    day = date(2017, 1, 3)
    lines = [("card", "purchase", {"margin": "1.25"}), ("card", "purchase", {"margin": "two"}), ("card", "return", None)]
    events = spark.createDataFrame(
        [(who, kind, day, told) for who, kind, told in lines],
        "primary_identifier_id string, event_type string, occurred_on date, attributes map<string,string>",
    )
    margins = margin_by_day(events, SEGMENTS)
    (ann,) = scores(spark, [("card", 1, 1, "9.00"), ("card", 3, 1, "9.00")], margins, monetary="margin")
    assert (ann.monetary, ann.revenue) == (Decimal("1.25"), Decimal("18.00"))


def test_a_line_that_is_declared_to_be_no_purchase_brings_no_margin(spark: SparkSession) -> None:
    events = spark.createDataFrame(
        [("card", "purchase", date(2017, 1, 3), channel, {"margin": "1.25"}) for channel in ("till", "staff")],
        "primary_identifier_id string, event_type string, occurred_on date, channel string, attributes map<string,string>",
    )
    segments = SEGMENTS.model_copy(update={"purchases": Purchases(where="channel <> 'staff'")})
    assert [row.margin for row in margin_by_day(events, segments).collect()] == [Decimal("1.25")]


def test_the_days_that_leave_a_window_are_those_that_one_as_of_has_and_the_other_has_not(spark: SparkSession) -> None:
    days = [("card", day, 1, "1.00") for day in (20, 21, 22, 23, 24)] + [("mail", 22, 0, "0.00")]
    before, segments = datetime(2017, 1, 30, 23, tzinfo=timezone.utc), SEGMENTS.model_copy(update={"window": "9d"})
    left = days_leaving_window(activity(spark, days), segments, before, AS_OF)
    assert [row.activity_on.day for row in left.collect()] == [22]
