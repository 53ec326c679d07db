from __future__ import annotations

import json
import random

import pytest

from conf.segments import MEASURES
from models.naming import ClusterProfile, FormerName, SegmentNames, is_true_of, name_segments
from tests.models.cohorts import default_config

CONFIG = default_config()
NAMES = {rule.name: rule for rule in CONFIG.names}


def _cluster(
    number: int, recency: float, frequency: float, monetary: float, missed: float = 0.4, tenure_days: float = 300
) -> ClusterProfile:
    """A cluster by the positions of its medians; the medians themselves only matter to conditions on values."""
    positions = dict.fromkeys(MEASURES, 0.5)
    positions |= {"recency": recency, "frequency": frequency, "monetary": monetary, "missed_purchases": missed}
    medians = {**dict.fromkeys(MEASURES, 10.0), "tenure": tenure_days}
    return ClusterProfile(number, 100, medians, positions, dict.fromkeys(MEASURES, 20.0))


VIP = _cluster(0, recency=0.1, frequency=0.9, monetary=0.9)
LOYAL = _cluster(1, recency=0.35, frequency=0.6, monetary=0.6)
WIN_BACK = _cluster(2, recency=0.85, frequency=0.6, monetary=0.6, missed=0.9)
DORMANT = _cluster(3, recency=0.9, frequency=0.05, monetary=0.05)


def _names(*clusters: ClusterProfile) -> dict[int, str]:
    return {named.cluster: named.name for named in name_segments(clusters, CONFIG).clusters}


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        (VIP, "VIP"),
        (LOYAL, "Loyal"),
        (WIN_BACK, "Win-back"),
        (DORMANT, "Dormant"),
        (_cluster(0, recency=0.3, frequency=0.2, monetary=0.9), "Big spender"),
        (_cluster(0, recency=0.4, frequency=0.2, monetary=0.2, tenure_days=30), "New"),
        (_cluster(0, recency=0.3, frequency=0.3, monetary=0.3), "Promising"),
        (_cluster(0, recency=0.6, frequency=0.25, monetary=0.25), "Occasional"),
        (_cluster(0, recency=0.75, frequency=0.35, monetary=0.35, missed=0.8), "At risk"),
        (_cluster(0, recency=0.95, frequency=0.2, monetary=0.2, missed=0.95), "Lapsed"),
        (_cluster(0, recency=0.1, frequency=0.9, monetary=0.05), "Regular"),
    ],
)
def test_a_cluster_is_called_what_its_customers_are(cluster: ClusterProfile, name: str) -> None:
    other = _cluster(9, recency=0.9, frequency=0.05, monetary=0.05)
    names = _names(cluster, other)
    assert names[cluster.cluster].removesuffix(" 2") == name


@pytest.mark.parametrize(
    ("name", "cluster"),
    [
        ("VIP", _cluster(0, recency=0.8, frequency=0.9, monetary=0.9)),
        ("VIP", _cluster(0, recency=0.1, frequency=0.9, monetary=0.5)),
        ("Loyal", _cluster(0, recency=0.4, frequency=0.6, monetary=0.95)),
        ("Win-back", _cluster(0, recency=0.2, frequency=0.6, monetary=0.6, missed=0.9)),
        ("Win-back", _cluster(0, recency=0.9, frequency=0.1, monetary=0.6, missed=0.9)),
        ("Win-back", _cluster(0, recency=0.9, frequency=0.6, monetary=0.1, missed=0.9)),
        ("New", _cluster(0, recency=0.2, frequency=0.1, monetary=0.1, tenure_days=250)),
    ],
)
def test_a_name_is_not_true_of_customers_whom_its_words_do_not_describe(name: str, cluster: ClusterProfile) -> None:
    assert not is_true_of(NAMES[name], cluster)


def test_a_second_cluster_of_one_kind_is_numbered_and_the_truer_one_comes_first() -> None:
    even_more = _cluster(7, recency=0.05, frequency=0.99, monetary=0.99)
    assert _names(VIP, even_more, DORMANT) == {7: "VIP", 0: "VIP 2", 3: "Dormant"}


def test_names_without_customers_are_reported_in_their_order() -> None:
    names = name_segments([VIP, LOYAL, DORMANT], CONFIG)
    without = ("Big spender", "Win-back", "New", "Promising", "Occasional", "At risk", "Lapsed")
    assert names.names_without_customers == without


def test_a_single_cluster_is_not_called_anything_special() -> None:
    assert _names(VIP) == {0: "Regular"}


def test_the_neutral_name_stays_with_its_customers_too() -> None:
    plain, other = (_cluster(number, recency, frequency=0.9, monetary=0.05) for number, recency in ((0, 0.1), (1, 0.05)))
    former = {0: FormerName("Regular", "1", 1.0)}
    assert {named.cluster: named.name for named in name_segments((plain, other), CONFIG, former).clusters} == {
        0: "Regular",
        1: "Regular 2",
    }
    swapped = {0: FormerName("Regular 2", "1", 0.9), 1: FormerName("Regular", "1", 0.9)}
    assert {named.cluster: named.name for named in name_segments((plain, other), CONFIG, swapped).clusters} == {
        0: "Regular 2",
        1: "Regular",
    }
    assert name_segments((VIP, LOYAL), CONFIG, {0: FormerName("Regular", "1", 1.0)}).clusters[0].name == "VIP"


def test_no_clusters_have_no_names() -> None:
    names = name_segments([], CONFIG)
    assert names.clusters == ()
    assert len(names.names_without_customers) == len(CONFIG.names)


def test_neither_the_order_nor_the_numbers_of_clusters_decide_a_name() -> None:
    clusters = [VIP, LOYAL, WIN_BACK, DORMANT, _cluster(4, 0.3, 0.55, 0.55), _cluster(5, 0.2, 0.97, 0.97)]
    expected = _names(*clusters)
    for seed in range(5):
        numbers = random.Random(seed).sample(range(6), 6)
        moved = [ClusterProfile(numbers[c.cluster], c.customers, c.medians, c.positions, c.overall) for c in clusters[::-1]]
        assert _names(*moved) == {numbers[cluster]: name for cluster, name in expected.items()}


def test_the_reason_shows_the_medians_beside_those_of_all_customers() -> None:
    medians = {**VIP.medians, "recency": 12.0, "monetary": 1234.56, "purchase_rate": 0.953}
    overall = {**VIP.overall, "recency": 41.0, "monetary": 410.0, "purchase_rate": 0.5}
    rich = ClusterProfile(0, 100, medians, VIP.positions, overall)
    why = name_segments([rich, DORMANT], CONFIG).clusters[0].why
    assert "recency 12 d (median 41)" in why
    assert "monetary 1,235 (median 410)" in why
    assert "purchase rate 0.953 a week (median 0.5)" in why


def test_names_survive_json() -> None:
    names = name_segments([VIP, LOYAL, WIN_BACK, DORMANT], CONFIG)
    assert SegmentNames.from_dict(json.loads(json.dumps(names.to_dict()))) == names
    assert names.name_of(2) == "Win-back"
