from __future__ import annotations

import math

import pytest
from pyspark.sql import SparkSession

from models.drift import SEGMENTS, Reference, fit_reference, measure_drift, retrain_reasons, stability_index
from models.features import segment_features
from tests.models.cohorts import AS_OF, rfm_frame, rfm_row

ROWS = [rfm_row(str(number), ago=number, active=0, days=1, money=10 * number) for number in range(20)]


@pytest.mark.parametrize(
    ("expected", "found", "index"),
    [
        ([0.5, 0.5], [0.5, 0.5], 0.0),
        ([0.5, 0.5], [0.25, 0.75], 0.25 * math.log(2) + 0.25 * math.log(1.5)),
        ([1.0, 0.0], [0.0, 1.0], 2 * 0.9999 * math.log(10_000)),  # an empty part counts as 0.0001
    ],
)
def test_the_index_is_that_of_the_books(expected: list[float], found: list[float], index: float) -> None:
    assert stability_index(expected, found) == pytest.approx(index)


def test_the_training_customers_have_not_drifted(spark: SparkSession) -> None:
    features, sizes = segment_features(rfm_frame(spark, ROWS), AS_OF), {"VIP": 5, "Loyal": 15}
    reference = Reference.from_dict(fit_reference(features, sizes).to_dict())
    assert set(measure_drift(reference, features, sizes).values()) == {0.0}
    assert sum(reference.shares["recency"]) == pytest.approx(1)


def test_what_has_moved_is_named_with_its_index_and_what_has_not_is_not(spark: SparkSession) -> None:
    reference = fit_reference(segment_features(rfm_frame(spark, ROWS), AS_OF), {"VIP": 5, "Loyal": 15})
    later = [rfm_row(str(number), ago=15 + number, active=0, days=1, money=10 * number) for number in range(20)]
    drift = measure_drift(reference, segment_features(rfm_frame(spark, later), AS_OF), {"VIP": 5, "Loyal": 14, "New": 1})
    assert drift["monetary"] == drift["frequency"] == 0.0
    assert drift["recency"] > 1
    assert 0 < drift[SEGMENTS] < drift["recency"]
    reasons = retrain_reasons(drift, 0.5)
    assert [reason.split(":")[0] for reason in reasons] == ["recency"]
    assert all("is over 0.5" in reason for reason in reasons)


def test_that_everybody_has_been_a_customer_for_a_month_longer_is_no_drift(spark: SparkSession) -> None:
    rows, later = ([rfm_row(str(n), ago=n, active=before - n, days=5, money=10 * n) for n in range(20)] for before in (300, 330))
    reference = fit_reference(segment_features(rfm_frame(spark, rows), AS_OF), {"VIP": 20})
    drift = measure_drift(reference, segment_features(rfm_frame(spark, later), AS_OF), {"VIP": 20})
    assert "tenure" not in drift
    assert (drift["recency"], drift["frequency"], drift["monetary"]) == (0.0, 0.0, 0.0)


def test_without_customers_nothing_has_drifted(spark: SparkSession) -> None:
    features = segment_features(rfm_frame(spark, ROWS), AS_OF)
    assert measure_drift(fit_reference(features, {"VIP": 20}), features.limit(0), {}) == {}
