from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from conf.project import load_project
from conf.tables.gold import RFM
from transforms.rfm import score_rfm

SEGMENTS = load_project().segments
SCHEMA = (
    "identifier_id string, activity_on date, purchases bigint, units decimal(18,3), revenue decimal(18,2), "
    "first_purchase_at timestamp, last_purchase_at timestamp"
)
HELD = {"card": "ann", "mail": "ann", "browser": "bob"}
# Ann bought twice on one day, once of it by e-mail, and twice on another.
ANN = [("card", 1, 1, "10.00"), ("mail", 1, 1, "5.00"), ("card", 3, 2, "5.00")]


def scores(spark: SparkSession, days: list[tuple[str, int, int, str]], **declared: Any) -> list[Row]:
    """Scores from (identifier, day of January, purchases, money); one unit a purchase, each at the day's noon."""
    noon = [datetime(2017, 1, day, 12, tzinfo=timezone.utc) for _, day, *_ in days]
    rows = [
        (who, date(2017, 1, day), number, Decimal(number), Decimal(money), at, at)
        for (who, day, number, money), at in zip(days, noon, strict=True)
    ]
    identities = spark.createDataFrame(list(HELD.items()), "identifier_id string, profile_id string")
    scored = score_rfm(spark.createDataFrame(rows, SCHEMA), identities, SEGMENTS.model_copy(update=declared))
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
