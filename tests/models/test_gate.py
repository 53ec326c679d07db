from __future__ import annotations

from typing import Any

import pytest

from conf.segments import MEASURES
from models.gate import Former, Standing, judge
from models.naming import ClusterProfile, FormerName, SegmentNames, name_segments
from tests.models.cohorts import default_config

CONFIG = default_config(gate={"silhouette_drop": 0.05, "agreement": 0.6, "smallest_share": 0.05, "largest_share": 0.7})


def _cluster(number: int, recency: float, frequency: float, monetary: float, customers: int = 100) -> ClusterProfile:
    positions = {**dict.fromkeys(MEASURES, 0.5), "recency": recency, "frequency": frequency, "monetary": monetary}
    return ClusterProfile(number, customers, dict.fromkeys(MEASURES, 300.0), positions, dict.fromkeys(MEASURES, 20.0))


VIP, DORMANT = _cluster(0, 0.1, 0.9, 0.9), _cluster(1, 0.9, 0.05, 0.05)


def _names(*clusters: ClusterProfile) -> SegmentNames:
    return name_segments(clusters, CONFIG)


def _former(today: tuple[ClusterProfile, ...] = (VIP, DORMANT), **changes: Any) -> Former:
    standing = Standing("1", changes.get("silhouette", 0.4), _names(VIP, DORMANT))
    return Former(standing, changes.get("agreement", 0.9), today)


def test_without_a_champion_there_is_nothing_to_be_worse_than() -> None:
    assert judge(Standing("1", None, _names(VIP)), None, CONFIG).passed


def test_a_challenger_that_is_as_good_passes() -> None:
    verdict = judge(Standing("2", 0.36, _names(VIP, DORMANT)), _former(), CONFIG)
    assert verdict.passed
    assert {check.name for check in verdict.checks} == {"quality", "agreement", "smallest segment", "largest segment"}


@pytest.mark.parametrize(
    ("challenger", "former", "objection"),
    [
        pytest.param((0.34, VIP, DORMANT), _former(), "Its silhouette is 0.340, that of the champion", id="quality"),
        pytest.param((None, VIP, DORMANT), _former(), "Its silhouette is -1.000", id="one cluster where there were two"),
        pytest.param((0.4, VIP, DORMANT), _former(agreement=0.5), "adjusted Rand index of 0.50", id="agreement"),
        pytest.param((0.4, VIP, _cluster(1, 0.9, 0.05, 0.05, 4)), _former(), "Dormant has 3.8% of the customers", id="small"),
        pytest.param((0.4, VIP, _cluster(1, 0.9, 0.05, 0.05, 400)), _former(), "Dormant has 80.0% of the customers", id="large"),
        pytest.param(
            (0.4, _cluster(0, 0.4, 0.2, 0.2), DORMANT), _former(), "VIP is lost, though it is still true of 100", id="a name"
        ),
    ],
)
def test_a_challenger_that_is_worse_is_told_why(challenger: tuple[Any, ...], former: Former, objection: str) -> None:
    silhouette, *clusters = challenger
    verdict = judge(Standing("2", silhouette, _names(*clusters)), former, CONFIG)
    assert not verdict.passed
    assert objection in " ".join(verdict.objections)


def test_a_name_may_go_when_it_is_no_longer_true_of_those_who_had_it() -> None:
    poorer = _cluster(0, 0.1, 0.9, 0.6)
    verdict = judge(Standing("2", 0.4, _names(poorer, DORMANT)), _former((poorer, DORMANT)), CONFIG)
    assert verdict.passed
    assert "VIP is given up: monetary is at 0.60 of all customers, not from 0.72 to 1." in [c.said for c in verdict.checks]


def test_a_second_segment_of_a_name_may_go() -> None:
    second = _cluster(2, 0.15, 0.85, 0.85)
    former = Former(Standing("1", 0.4, _names(VIP, DORMANT, second)), 0.9, (VIP, DORMANT, second))
    assert judge(Standing("2", 0.4, _names(VIP, DORMANT)), former, CONFIG).passed


@pytest.mark.parametrize(
    ("monetary", "name", "told"),
    [
        pytest.param(0.70, "VIP", "VIP in version 1, too: 95% of its customers were there.", id="within the slack"),
        pytest.param(
            0.60, "Loyal", "Was VIP in version 1: 95% of its customers were there, but monetary is at 0.60", id="beyond"
        ),
    ],
)
def test_a_name_stays_until_its_customers_have_changed(monetary: float, name: str, told: str) -> None:
    cluster = _cluster(0, 0.3, 0.7, monetary)
    first, _ = name_segments([cluster, DORMANT], CONFIG, {0: FormerName("VIP", "1", 0.95)}).clusters
    assert first.name == name
    assert first.history.startswith(told)


def test_a_number_stays_with_its_customers() -> None:
    second = _cluster(2, 0.05, 0.99, 0.99)  # by itself it would be the first VIP
    former = {0: FormerName("VIP", "1", 1.0), 2: FormerName("VIP 2", "1", 1.0)}
    names = name_segments([VIP, DORMANT, second], CONFIG, former)
    assert [named.name for named in names.clusters] == ["VIP", "Dormant", "VIP 2"]


def test_a_cluster_that_nobody_was_in_gets_the_next_free_number() -> None:
    names = name_segments([VIP, DORMANT, _cluster(2, 0.05, 0.99, 0.99)], CONFIG, {0: FormerName("VIP", "1", 1.0)})
    assert [named.name for named in names.clusters] == ["VIP", "Dormant", "VIP 2"]
    assert names.clusters[1].history == "New: no segment before it has these customers."
