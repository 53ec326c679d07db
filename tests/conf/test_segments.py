from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from conf.segments import Clusters, SegmentsConfig

SAMPLE = Path(__file__).parents[2] / "conf" / "segments.yml"
LOYAL = {"name": "Loyal", "meaning": "Come back.", "when": {"frequency": [0.5, 1]}}


def _config(**changes: Any) -> SegmentsConfig:
    smallest: dict[str, Any] = {"features": [{"name": "recency"}], "names": [LOYAL]}
    return SegmentsConfig.model_validate({**smallest, **changes})


def test_the_sample_validates_and_knows_the_names_that_matter() -> None:
    config = SegmentsConfig.model_validate(yaml.safe_load(SAMPLE.read_text(encoding="utf-8")))
    assert {"VIP", "Loyal", "Win-back", "New", "At risk", "Dormant"} <= {rule.name for rule in config.names}
    assert config.clusters.k == (5, 6, 7, 8)


@pytest.mark.parametrize(
    ("k", "expected"), [([8, 5, 5], (5, 8)), ({"from": 5, "to": 8}, (5, 6, 7, 8)), ({"from": 3, "to": 3}, (3,))]
)
def test_k_is_a_list_or_a_range(k: Any, expected: tuple[int, ...]) -> None:
    assert Clusters(k=k).k == expected


def test_a_prototype_fills_in_the_middle_of_what_is_left_out() -> None:
    rule = {**LOYAL, "when": {"frequency": [0.5, 1], "recency": [0, 0.5]}, "like": {"recency": 0.1, "monetary": 0.6}}
    assert _config(names=[rule]).names[0].prototype == {"recency": 0.1, "frequency": 0.75, "monetary": 0.6}


def test_one_list_of_features_is_a_feature_set_of_its_own() -> None:
    assert [*_config().sets] == ["features"]
    sets = {"log": [{"name": "recency"}], "quantile": [{"name": "recency", "transform": "quantile"}]}
    assert [*_config(features=[], feature_sets=sets).sets] == ["log", "quantile"]


@pytest.mark.parametrize(("cap", "percentile"), [(75, None), ("p99", 0.99), ("p99.5", 0.995)])
def test_a_cap_is_a_value_or_a_percentile(cap: Any, percentile: float | None) -> None:
    feature = _config(features=[{"name": "recency", "cap": cap}]).features[0]
    assert feature.cap_percentile == (None if percentile is None else pytest.approx(percentile))


@pytest.mark.parametrize(("window", "days"), [("all", None), ("365d", 365)])
def test_a_window_is_so_many_days_or_all(window: str, days: int | None) -> None:
    assert _config(window=window).window_days == days


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": [{"name": "recency"}, {"name": "recency"}]}, "declared twice: recency"),
        ({"features": [{"name": "weight"}]}, "recency"),
        ({"features": [{"name": "recency", "cap": 0}]}, "greater than 0"),
        ({"features": [{"name": "recency", "cap": "p101"}]}, "a percentile from p50 to p99.99"),
        ({"features": [{"name": "recency", "levels": 4}]}, "recency: `levels` needs `transform: quantile`"),
        ({"features": []}, "either `features` .a list. or `feature_sets`"),
        ({"feature_sets": {"log": [{"name": "recency"}]}}, "either `features` .a list. or `feature_sets`"),
        ({"features": [], "feature_sets": {"log": []}}, "log: needs a feature"),
        ({"features": [], "feature_sets": {"log": [{"name": "tenure"}, {"name": "tenure"}]}}, "declared twice: tenure"),
        ({"window": "0d"}, "pattern"),
        ({"window": "1y"}, "pattern"),
        ({"returns": "refunded"}, "'ignored' or 'netted'"),
        ({"clusters": {"methods": ["kmeans", "kmeans"]}}, "declared twice: kmeans"),
        ({"clusters": {"methods": ["forest"]}}, "'kmeans', 'bisecting' or 'mixture'"),
        ({"gate": {"smallest_share": 2}}, "less than or equal to 1"),
        ({"names": []}, "at least 1"),
        ({"names": [LOYAL, {**LOYAL, "name": "loyal"}]}, "declared twice: loyal"),
        ({"names": [LOYAL], "otherwise": {"name": "Loyal"}}, "declared twice: loyal"),
        ({"names": [{**LOYAL, "name": "Loyal 2"}]}, "pattern"),
        ({"names": [{**LOYAL, "when": {}}]}, "Loyal: needs a condition"),
        ({"names": [{**LOYAL, "when": {"frequency": [0.9, 0.1]}}]}, "low below high"),
        ({"names": [{**LOYAL, "when": {"frequency": [0.5, 50]}}]}, "positions between 0 and 1"),
        ({"names": [{**LOYAL, "like": {"frequency": 0.2}}]}, "like.frequency is 0.2, outside when.frequency"),
        ({"clusters": {"k": [1, 5]}}, "numbers of clusters from 2 to 50"),
        ({"clusters": {"k": {"from": 8, "to": 5}}}, "or a range"),
        ({"clusters": {"k": {"from": 5}}}, "or a range"),
        ({"clusters": {"k": [5], "seeds": 3}}, "Extra inputs"),
        ({"frequency": "visits"}, "'purchases' or 'purchase_days'"),
    ],
)
def test_a_mistake_is_refused_with_what_was_expected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _config(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"purchases": {"above": -1}}, "greater than or equal to 0"),
        ({"purchases": {"where": "store"}}, "expected a condition"),
        ({"purchases": {"where": "shelf = 'a'"}}, "names shelf; expected columns of an event"),
        ({"purchases": {"where": "java_method('x', 'y')"}}, "java_method"),
        ({"purchases": {"above": 5}, "monetary": "margin"}, "margins are added up by line"),
        ({"currency": {"name": "usd"}}, "should match pattern"),
        ({"currency": {"name": "USD", "rates": {"USD": 1}}}, "needs no rate"),
        ({"currency": {"name": "USD", "rates": {"EUR": 0}}}, "greater than 0"),
    ],
)
def test_purchases_and_currency_that_cannot_be_meant_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _config(**changes)


def test_what_counts_as_a_purchase_and_the_currency_are_part_of_what_is_measured() -> None:
    plain = _config().definitions
    assert plain != _config(purchases={"above": 5}).definitions
    assert plain != _config(currency={"name": "EUR"}).definitions
    assert _config(currency={"name": "EUR"}).definitions == _config(currency={"name": "EUR", "rates": {"USD": 0.9}}).definitions
