from __future__ import annotations

import numpy as np
import pytest

from conf.segments import MEASURES
from models.matching import match_clusters
from models.naming import ClusterProfile


def _cluster(number: int, position: float = 0.5) -> ClusterProfile:
    places = dict.fromkeys(MEASURES, position)
    return ClusterProfile(number, 10, places, places, places)


def test_clusters_are_matched_by_the_customers_that_they_share() -> None:
    shared = np.array([[1, 9], [8, 2]])
    matches = match_clusters(shared, [_cluster(0), _cluster(1)], [_cluster(0), _cluster(1)])
    assert matches == {0: (1, pytest.approx(8 / 9)), 1: (0, pytest.approx(9 / 11))}


def test_the_best_pairs_together_count_and_not_the_best_pair_alone() -> None:
    shared = np.array([[50, 40], [40, 0]])
    matches = match_clusters(shared, [_cluster(0), _cluster(1)], [_cluster(0), _cluster(1)])
    assert {new: old for new, (old, _) in matches.items()} == {0: 1, 1: 0}


def test_clusters_without_customers_in_common_are_matched_by_what_they_are_like() -> None:
    shared = np.array([[9, 0, 0], [0, 0, 0], [0, 0, 0]])
    champions = [_cluster(0), _cluster(1, 0.1), _cluster(2, 0.9)]
    matches = match_clusters(shared, champions, [_cluster(0), _cluster(1, 0.85), _cluster(2, 0.15)])
    assert {new: old for new, (old, _) in matches.items()} == {0: 0, 1: 2, 2: 1}


def test_a_cluster_that_is_like_none_before_has_no_partner() -> None:
    matches = match_clusters(np.array([[9, 0]]), [_cluster(0)], [_cluster(0), _cluster(1)])
    assert matches == {0: (0, 1.0)}
    assert match_clusters(np.zeros((1, 1), dtype=np.int64), [_cluster(0, 0.1)], [_cluster(0, 0.9)]) == {}


def test_the_numbers_of_clusters_do_not_matter() -> None:
    shared = np.array([[9, 1, 0], [0, 8, 2], [1, 0, 7]])
    moved = shared[:, [2, 0, 1]]
    three = [_cluster(number) for number in range(3)]
    straight = {new: old for new, (old, _) in match_clusters(shared, three, three).items()}
    other = {new: old for new, (old, _) in match_clusters(moved, three, three).items()}
    assert other == {0: straight[2], 1: straight[0], 2: straight[1]}


def test_without_champions_clusters_nothing_is_matched() -> None:
    assert match_clusters(np.zeros((0, 0), dtype=np.int64), [], [_cluster(0)]) == {}
