"""K-means that goes on from given centres, and what is said of a clustering afterwards."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession

from conf.segments import Clusters, Method
from models.methods import fit_clusters, go_on_from, sizes_and_cost
from models.preparation import SCALED

CLUSTERS = Clusters(k=(3,), seed=1)
START = np.array([[1.0, 1.0], [6.0, 1.0], [1.0, 6.0]])


@pytest.fixture(scope="module")
def points(spark: SparkSession) -> DataFrame:
    """Three heaps of 40 points each."""
    draw = np.random.default_rng(7)
    heaps = [centre + draw.normal(0, 1, (40, 2)) for centre in ([0, 0], [9, 0], [0, 9])]
    rows = [(Vectors.dense(point),) for heap in heaps for point in heap.tolist()]
    return spark.createDataFrame(rows, [SCALED]).coalesce(1)


def test_going_on_ends_where_sparks_own_steps_end(points: DataFrame) -> None:
    spark_model = fit_clusters(points, "kmeans", 3, 1, CLUSTERS)
    model = go_on_from(points, START, CLUSTERS)
    assert model is not None
    found, expected = (np.array(sorted(map(tuple, one.clusterCenters()))) for one in (model, spark_model))
    assert found == pytest.approx(expected, abs=1e-9)


def test_clusters_keep_their_numbers_in_any_order_and_with_any_seed(points: DataFrame) -> None:
    for seed, order in enumerate(permutations(range(3)), start=1):
        model = go_on_from(points, START[list(order)], Clusters(k=(3,), seed=seed))
        assert model is not None
        assert np.round(model.clusterCenters()).tolist() == (9 * (START[list(order)] > 5)).tolist()


def test_a_centre_that_loses_all_its_rows_is_not_gone_on_from(points: DataFrame) -> None:
    assert go_on_from(points, np.array([[0.0, 0.0], [9.0, 0.0], [900.0, 900.0]]), CLUSTERS) is None


@pytest.mark.parametrize("method", ["kmeans", "bisecting", "mixture"])
def test_sizes_and_cost_are_those_of_all_rows(points: DataFrame, method: Method) -> None:
    model = fit_clusters(points, method, 3, 1, CLUSTERS)
    sizes, cost = sizes_and_cost(model, points)
    assert sizes == tuple(model.summary.clusterSizes)
    if method != "mixture":  # which has no cost of its own
        assert cost == pytest.approx(model.summary.trainingCost)
