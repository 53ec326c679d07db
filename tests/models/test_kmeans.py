from __future__ import annotations

import numpy as np
import pytest

from models.kmeans import Clustering, cluster_points, silhouette

TWO_HEAPS = np.array([[0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [10.0, 1.0]])


def test_two_heaps_are_two_clusters() -> None:
    found = cluster_points(TWO_HEAPS, k=2, starts=3, max_iterations=20, seed=1)
    assert found is not None
    assert sorted(found.centres.tolist()) == [[0.0, 0.5], [10.0, 0.5]]
    assert found.cost == pytest.approx(1.0)
    assert found.sizes == (2, 2)


def test_the_silhouette_is_the_mean_over_points_of_squared_distances() -> None:
    clustering = Clustering(np.array([[0.0, 0.5], [10.0, 0.5]]), np.array([0, 0, 1, 1]), 1.0)
    own, other = 1.0, (100 + 101) / 2
    assert silhouette(TWO_HEAPS, clustering) == pytest.approx((other - own) / other)


def test_a_point_alone_counts_zero_and_one_cluster_has_no_silhouette() -> None:
    points = np.array([[0.0], [1.0], [9.0]])
    one_alone = Clustering(np.array([[0.5], [9.0]]), np.array([0, 0, 1]), 0.5)
    first, second = 1 - 1 / 81, 1 - 1 / 64
    assert silhouette(points, one_alone) == pytest.approx((first + second + 0) / 3)
    assert silhouette(points, Clustering(np.array([[3.0]]), np.array([0, 0, 0]), 1.0)) is None


def test_more_starts_never_cost_more() -> None:
    points = np.random.default_rng(3).normal(size=(200, 3))
    one = cluster_points(points, k=6, starts=1, max_iterations=50, seed=1)
    many = cluster_points(points, k=6, starts=10, max_iterations=50, seed=1)
    assert one is not None
    assert many is not None
    assert many.cost <= one.cost


def test_as_many_clusters_as_different_points_leave_no_cost() -> None:
    found = cluster_points(np.repeat(TWO_HEAPS, 5, axis=0), k=4, starts=5, max_iterations=20, seed=1)
    assert found is not None
    assert found.cost == pytest.approx(0.0)
    assert found.sizes == (5, 5, 5, 5)
