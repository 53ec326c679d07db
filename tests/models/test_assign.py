from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from models.assign import assign_clusters, assign_segments
from models.features import segment_features
from models.fit import choose, fit_candidates
from models.naming import name_segments
from models.profiles import profile_clusters
from tests.models.cohorts import AS_OF, default_config, rfm_frame, rfm_row

ONE_FEATURE = [{"name": "recency", "transform": "none"}]


def test_the_distance_is_that_to_the_own_centre_in_scaled_features(spark: SparkSession) -> None:
    rows = [rfm_row(str(ago), ago, 0, 1, 5) for ago in (0, 2, 100, 102)]
    config = default_config(features=ONE_FEATURE, clusters={"k": [2], "starts": 2, "resamples": 0})
    features = segment_features(rfm_frame(spark, rows), AS_OF)
    model = choose(fit_candidates(features, config)).model
    names = name_segments(profile_clusters(assign_clusters(features, model)), config)
    assigned = assign_segments(features, model, names)
    spread = (sum((ago - 51) ** 2 for ago in (0, 2, 100, 102)) / 3) ** 0.5
    assert assigned.columns == ["profile_id", "segment", "cluster", "distance"]
    assert [row["distance"] for row in assigned.collect()] == pytest.approx([1 / spread] * 4)


def test_a_profile_has_exact_medians_and_positions_with_ties_counted_half(spark: SparkSession) -> None:
    rows = [(str(n), 0, float(value), 0.0, 0.0, 0.0, 0.0, 0.0) for n, value in enumerate([1, 2, 3])]
    rows += [(str(n), 1, float(value), 0.0, 0.0, 0.0, 0.0, 0.0) for n, value in enumerate([3, 10], start=3)]
    columns = "profile_id string, cluster int, recency double, frequency double, monetary double, "
    columns += "purchase_rate double, missed_purchases double, tenure double"
    low, high = profile_clusters(spark.createDataFrame(rows, columns))
    assert (low.customers, low.medians["recency"], low.overall["recency"]) == (3, 2.0, 3.0)
    assert low.positions["recency"] == pytest.approx((1 + 0.5) / 5)
    assert (high.customers, high.medians["recency"]) == (2, 6.5)
    assert high.positions["recency"] == pytest.approx(4 / 5)
    assert high.positions["tenure"] == pytest.approx(0.5)
