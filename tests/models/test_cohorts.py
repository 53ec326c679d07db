"""Generated customers of known kinds come out under the names that a marketer would give them."""

from __future__ import annotations

from collections import Counter

from pyspark.sql import SparkSession

from models.assign import assign_clusters, assign_segments
from models.features import segment_features
from models.fit import build_pipeline, fit_candidates
from models.naming import SegmentNames, name_segments
from models.profiles import profile_clusters
from tests.models.cohorts import AS_OF, COHORTS, cohort_rows, default_config, profile_id, rfm_frame


def _segments(spark: SparkSession, *missing: str) -> tuple[SegmentNames, dict[str, str]]:
    config = default_config()
    features = segment_features(rfm_frame(spark, cohort_rows(*missing)), AS_OF)
    fitted = fit_candidates(features, config)
    model = build_pipeline(fitted, fitted.choose(), features)
    names = name_segments(profile_clusters(assign_clusters(features, model)), config)
    rows = assign_segments(features, model, names).collect()
    return names, {row["profile_id"]: row["segment"] for row in rows}


def _names_of(cohort: str, segments: dict[str, str]) -> Counter[str]:
    return Counter(segments[profile_id(f"{cohort} {number}")] for number in range(COHORTS[cohort].size))


def test_every_cohort_gets_its_own_name(spark: SparkSession) -> None:
    names, segments = _segments(spark)
    for cohort in ("VIP", "Loyal", "Win-back", "New", "Dormant"):
        assert _names_of(cohort, segments).most_common(1)[0] == (cohort, COHORTS[cohort].size)
    assert not {"VIP", "Loyal", "Win-back"} & set(names.names_without_customers)


def test_a_name_without_its_customers_is_reported_and_given_to_nobody(spark: SparkSession) -> None:
    names, segments = _segments(spark, "Win-back")
    assert "Win-back" in names.names_without_customers
    assert "Win-back" not in set(segments.values())
    assert "VIP" in set(segments.values())


def test_every_customer_has_a_segment(spark: SparkSession) -> None:
    _, segments = _segments(spark)
    assert len(segments) == sum(cohort.size for cohort in COHORTS.values())
    assert None not in segments.values()
