from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.segments import Feature
from models.preparation import FittedFeature, fit_preparation


def _customers(spark: SparkSession, recencies: list[float]) -> DataFrame:
    return spark.createDataFrame(
        [(str(n), float(value)) for n, value in enumerate(recencies)], "profile_id string, recency double"
    )


def _fitted(spark: SparkSession, recencies: list[float], **declared: Any) -> tuple[FittedFeature, list[float]]:
    """The feature as it was fitted, and what the clustering sees of each customer before scaling, in their order."""
    customers = _customers(spark, recencies)
    preparation = fit_preparation([Feature(name="recency", **declared)], customers)
    rows = preparation.transform(customers).collect()
    return preparation.features[0], [row["prepared_recency"] for row in sorted(rows, key=lambda row: int(row["profile_id"]))]


def test_a_percentile_cap_is_fitted_to_the_training_customers_and_stays(spark: SparkSession) -> None:
    feature, seen = _fitted(spark, [*range(100), 1e9], transform="none", cap="p99")
    assert feature.cap == 99.0
    assert max(seen) == 99.0
    later = fit_preparation([Feature(name="recency", transform="none", cap="p99")], _customers(spark, [*range(100), 1e9]))
    assert [row["prepared_recency"] for row in later.transform(_customers(spark, [5, 500])).collect()] == [5.0, 99.0]


def test_quantiles_make_parts_of_the_same_size(spark: SparkSession) -> None:
    feature, seen = _fitted(spark, [float(value) for value in range(10)], transform="quantile", levels=5)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert feature.shortfall is None


@pytest.mark.parametrize(
    ("recencies", "told"),
    [
        ([1, 1, 1, 1, 1, 1, 2, 3, 4, 5], "recency: 3 of 5 levels, for too many customers are equal"),
        ([7, 7, 7], "recency: 1 of 5 levels, for too many customers are equal"),
    ],
)
def test_levels_that_ties_leave_out_are_told(spark: SparkSession, recencies: list[float], told: str) -> None:
    feature, seen = _fitted(spark, recencies, transform="quantile", levels=5)
    assert feature.shortfall == told
    assert len(set(seen)) == int(told.split()[1])


def test_what_is_capped_first_has_no_levels_above_the_cap(spark: SparkSession) -> None:
    feature, seen = _fitted(spark, [float(value) for value in range(10)], transform="quantile", levels=5, cap=4)
    assert max(feature.cuts) == 4.0
    assert seen[4:] == [max(seen)] * 6
