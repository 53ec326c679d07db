"""Generated customers of known kinds come out under the names that a marketer would give them."""

from __future__ import annotations

from collections import Counter

import pytest
from pyspark.sql import SparkSession

from models.assign import assign_clusters, assign_segments
from models.features import segment_features
from models.fit import choose, fit_candidates
from models.naming import SegmentNames, name_segments
from models.profiles import profile_clusters
from tests.models.cohorts import AS_OF, COHORTS, cohort_rows, default_config, profile_id, rfm_frame

Segments = tuple[SegmentNames, dict[str, str]]


def _segments(spark: SparkSession, *missing: str) -> Segments:
    config = default_config(clusters={"k": [6, 7], "seed": 1, "starts": 2, "resamples": 0})
    features = segment_features(rfm_frame(spark, cohort_rows(*missing)), AS_OF)
    model = choose(fit_candidates(features, config)).model
    names = name_segments(profile_clusters(assign_clusters(features, model)), config)
    rows = assign_segments(features, model, names).collect()
    return names, {row["profile_id"]: row["segment"] for row in rows}


@pytest.fixture(scope="module")
def segments(spark: SparkSession) -> Segments:
    return _segments(spark)


def _names_of(cohort: str, assigned: dict[str, str]) -> Counter[str]:
    return Counter(assigned[profile_id(f"{cohort} {number}")] for number in range(COHORTS[cohort].size))


@pytest.mark.parametrize("cohort", list(COHORTS))
def test_a_cohort_gets_its_own_name(segments: Segments, cohort: str) -> None:
    _, assigned = segments
    assert _names_of(cohort, assigned) == {cohort: COHORTS[cohort].size}


def test_no_name_of_a_cohort_is_reported_missing(segments: Segments) -> None:
    names, assigned = segments
    assert set(names.names_without_customers) == {"Big spender", "Promising", "At risk", "Lapsed"}
    assert len(assigned) == sum(cohort.size for cohort in COHORTS.values())


def test_a_name_without_its_customers_is_reported_and_given_to_nobody(spark: SparkSession) -> None:
    names, assigned = _segments(spark, "Win-back")
    assert "Win-back" in names.names_without_customers
    assert not any(segment.startswith("Win-back") for segment in assigned.values())
    assert {"VIP", "Loyal"} <= set(assigned.values())
