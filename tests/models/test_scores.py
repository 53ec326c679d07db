from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from models.scores import ScoreCuts, fit_scores, score_customers

COLUMNS = "profile_id string, recency double, frequency double, monetary double"


def _features(spark: SparkSession, monetary: list[float]) -> DataFrame:
    return spark.createDataFrame([(str(n), 1.0, 1.0, float(value)) for n, value in enumerate(monetary)], COLUMNS)


def _levels(spark: SparkSession, values: list[float], levels: int = 5) -> dict[float, int]:
    """The score of each different value, as a monetary value."""
    features = _features(spark, values)
    scored = score_customers(features, fit_scores(features, levels), "1").join(features, "profile_id").collect()
    found = {(row["monetary"], row["monetary_score"]) for row in scored}
    assert len(found) == len({value for value, _ in found}), "equal customers have different scores"
    return dict(sorted(found))


def test_each_level_has_its_fifth_where_all_values_differ(spark: SparkSession) -> None:
    scores = _levels(spark, [float(value) for value in range(10)])
    assert list(scores.values()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1] * 12 + [2, 2, 3, 3, 4, 5, 6, 9], {1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 5, 9: 5}, id="most bought once"),
        pytest.param([1, 2, 3, 4] + [5] * 16, {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, id="most bought the most"),
        pytest.param([1, 1, 7, 7, 9], {1: 1, 7: 2, 9: 3}, id="three values make three levels"),
        pytest.param([4, 4, 4], {4: 1}, id="all equal"),
    ],
)
def test_ties_share_a_level_and_leave_as_many_levels_as_there_are_values(
    spark: SparkSession, values: list[float], expected: dict[float, int]
) -> None:
    assert _levels(spark, values) == expected


def test_fewer_levels_than_asked_for_are_told(spark: SparkSession) -> None:
    scores = fit_scores(_features(spark, [1, 1, 7, 7, 9]), 5)
    assert "monetary: 3 of 5 levels, for customers differ in no more values" in scores.shortfalls
    assert len(scores.shortfalls) == 3
    assert fit_scores(_features(spark, [1, 1, 7, 7, 9]), 3).shortfalls[-1].startswith("frequency: 1 of 3")


def test_a_recent_purchase_scores_high_and_the_cell_has_recency_first(spark: SparkSession) -> None:
    cuts = ScoreCuts(5, {"recency": (10.0, 20.0, 30.0, 40.0), "frequency": (1.0, 2.0, 3.0, 4.0), "monetary": (5.0,)})
    rows = [("a", 10.0, 4.0, 6.0), ("b", 41.0, 5.0, -3.0)]
    scored = score_customers(spark.createDataFrame(rows, COLUMNS), cuts, "7").orderBy("profile_id").collect()
    assert [(row["rfm_cell"], row["recency_score"], row["model_version"]) for row in scored] == [
        ("5-4-2", 5, "7"),
        ("1-5-1", 1, "7"),
    ]


@settings(max_examples=6, deadline=None)
@given(values=st.lists(st.integers(0, 8), min_size=1, max_size=30), levels=st.integers(2, 6))
def test_there_are_as_many_levels_as_asked_for_or_as_there_are_values(spark: Any, values: list[int], levels: int) -> None:
    found = _levels(spark, values, levels)
    assert sorted(set(found.values())) == list(range(1, min(levels, len(set(values))) + 1))
    assert list(found.values()) == sorted(found.values())


def test_cuts_survive_json(spark: SparkSession) -> None:
    cuts = fit_scores(_features(spark, [1, 2, 3]), 3)
    assert ScoreCuts.from_dict(cuts.to_dict()) == cuts
