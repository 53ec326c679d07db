from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.segments import MEASURES
from models.features import segment_features
from tests.models.cohorts import AS_OF, rfm_frame, rfm_row


@pytest.mark.parametrize(
    ("did", "expected"),
    [
        pytest.param(
            {"ago": 14, "active": 70, "days": 21, "money": 210.5},
            {
                "recency": 14,
                "frequency": 21,
                "monetary": 210.5,
                "purchase_rate": 2,
                "missed_purchases": 4,
                "tenure": 84,
            },
            id="a habit of two days a week, two weeks away",
        ),
        pytest.param(
            {"ago": 30, "active": 0, "days": 1, "money": 9.99},
            {"recency": 30, "frequency": 1, "monetary": 9.99, "purchase_rate": 0, "missed_purchases": 0, "tenure": 30},
            id="who bought once has no habit and misses nothing",
        ),
        pytest.param(
            {"ago": 0, "active": 2, "days": 3, "money": 30},
            {"recency": 0, "frequency": 3, "monetary": 30, "purchase_rate": 0.5, "missed_purchases": 0, "tenure": 2},
            id="three days in a row are no habit of seven a week",
        ),
        pytest.param(
            {"ago": -1, "active": 0, "days": 1, "money": 5},
            {"recency": 0, "frequency": 1, "monetary": 5, "purchase_rate": 0, "missed_purchases": 0, "tenure": 0},
            id="a purchase after as_of counts as one of that day",
        ),
    ],
)
def test_measures_of_a_customer(spark: SparkSession, did: dict[str, Any], expected: dict[str, float]) -> None:
    row = segment_features(rfm_frame(spark, [rfm_row("a", **did)]), AS_OF).collect()[0]
    assert {measure: row[measure] for measure in MEASURES} == pytest.approx(expected)


def test_recency_counts_dates_and_not_hours(spark: SparkSession) -> None:
    rfm = rfm_frame(spark, [rfm_row("a", ago=1, active=0, days=1, money=5)])
    just_after_midnight = AS_OF.replace(hour=0, minute=5)
    late = AS_OF.replace(hour=23, minute=55)
    recencies = [segment_features(rfm, moment).collect()[0]["recency"] for moment in (just_after_midnight, late)]
    assert recencies == [1, 1]


def test_as_of_in_another_time_zone_is_the_same_moment(spark: SparkSession) -> None:
    from datetime import timezone

    rfm = rfm_frame(spark, [rfm_row("a", ago=0, active=0, days=1, money=5)])
    elsewhere = AS_OF.replace(hour=23).astimezone(timezone(timedelta(hours=9)))
    assert segment_features(rfm, elsewhere).collect()[0]["recency"] == 0


@pytest.mark.parametrize(
    ("active", "rate"),
    [
        pytest.param(400, 20 / (75 / 7), id="who bought before the window has the habit that the window shows"),
        pytest.param(70, 19 / 10, id="who began in the window has it from the first purchase on"),
    ],
)
def test_a_declared_window_does_not_shorten_a_habit(spark: SparkSession, active: int, rate: float) -> None:
    rfm = rfm_frame(spark, [rfm_row("a", ago=14, active=active, days=20, money=5)])
    row = segment_features(rfm, AS_OF, 90).collect()[0]
    assert row["purchase_rate"] == pytest.approx(rate)
    assert row["tenure"] == 14 + active
