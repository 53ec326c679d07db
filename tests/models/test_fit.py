from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.optimize import linear_sum_assignment

from conf.errors import StageError
from models.assign import assign_clusters, assign_segments
from models.drift import fit_reference
from models.evaluation import shared_customers
from models.features import segment_features
from models.fit import Candidate, choose, fit_candidates
from models.methods import fit_clusters
from models.naming import name_segments
from models.profiles import profile_clusters
from models.scores import fit_scores, score_customers
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame, rfm_row

SMALL = {"k": [3, 4], "seed": 1, "starts": 2, "finalists": 1, "resamples": 1}
EVERY_METHOD = {
    "k": [5], "seed": 1, "starts": 1, "finalists": 2, "resamples": 1, "methods": ["kmeans", "bisecting", "mixture"],
    "smallest_share": 0, "max_iterations": 5,
}  # fmt: skip
"""Bisecting takes all its iterations, a few jobs each: so few, for what is told here does not depend on them."""
QUICK = {"k": [5], "seed": 1, "starts": 1, "resamples": 0}


def _features(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    return segment_features(rfm_frame(spark, rows), AS_OF)


def _alike(left: tuple[Candidate, ...], right: tuple[Candidate, ...]) -> bool:
    pairs = list(zip(left, right, strict=True))
    return all(
        one.cost == other.cost
        and one.silhouette == other.silhouette
        and np.array_equal(one.model.stages[-1].clusterCenters(), other.model.stages[-1].clusterCenters())
        for one, other in pairs
    )


@pytest.fixture(scope="module")
def cohorts(spark: SparkSession) -> DataFrame:
    """All cohorts, in order and in one partition."""
    return _features(spark, cohort_rows()).coalesce(1)


@pytest.fixture(scope="module")
def small(cohorts: DataFrame) -> tuple[Candidate, ...]:
    return fit_candidates(cohorts, default_config(clusters=SMALL))


@pytest.fixture(scope="module")
def quick(cohorts: DataFrame) -> Candidate:
    return fit_candidates(cohorts, default_config(clusters=QUICK))[0]


def test_each_declared_k_is_a_candidate_and_the_best_silhouette_is_chosen(small: tuple[Candidate, ...]) -> None:
    assert [candidate.k for candidate in small] == [3, 4]
    assert choose(small).silhouette == max(candidate.silhouette or -1 for candidate in small)
    assert all(sum(candidate.sizes) == 600 for candidate in small)


def test_a_mixture_is_fitted_alone_before_several_are_fitted_at_once(cohorts: DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    running, seen, lock = 0, list[int](), Lock()

    def watched(rows: DataFrame, method: str, *others: Any) -> Any:
        nonlocal running
        with lock:
            running += 1
            seen.append(running)
        try:
            return fit_clusters(rows, method, *others)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr("models.fit.fit_clusters", watched)
    clusters = {"k": [2, 3], "seed": 1, "starts": 1, "resamples": 0, "methods": ["mixture"], "max_iterations": 1}
    fit_candidates(cohorts, default_config(clusters=clusters))
    assert len(seen) == 3
    assert seen[:2] == [1, 1]
    assert max(seen) > 1


def test_more_starts_never_cost_more(cohorts: DataFrame) -> None:
    one, many = (
        fit_candidates(cohorts, default_config(clusters={"k": [6], "seed": 1, "starts": starts, "resamples": 0}))[0]
        for starts in (1, 4)
    )
    assert many.cost <= one.cost


def test_neither_order_nor_partitions_nor_ids_change_a_bit(spark: SparkSession, small: tuple[Candidate, ...]) -> None:
    shuffled = _features(spark, cohort_rows()[::-1]).repartition(5, "monetary").withColumn("profile_id", F.md5("profile_id"))
    assert _alike(small, fit_candidates(shuffled, default_config(clusters=SMALL)))


def test_training_without_customers_says_so(spark: SparkSession) -> None:
    with pytest.raises(StageError, match="no customer with a purchase"):
        fit_candidates(_features(spark, []), default_config())


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        pytest.param([rfm_row("a", 3, 20, 4, 50)], [1], id="one customer"),
        pytest.param([rfm_row("a", 3, 20, 4, 50), rfm_row("b", 90, 0, 1, 5)], [1, 1], id="fewer customers than clusters"),
        pytest.param([rfm_row(str(n), 3, 20, 4, 50) for n in range(9)], [9], id="all customers equal"),
        pytest.param(
            [rfm_row(f"{kind} {n}", 9 * kind, 20, 4, 50) for kind in range(3) for n in range(4)],
            [4, 4, 4],
            id="fewer kinds of customers than clusters asked for",
        ),
        pytest.param(
            [rfm_row(str(n), n, 0, 1, 10 + n) for n in range(40)] + [rfm_row("rich", 1, 0, 1, 1e9)],
            None,
            id="one purchase each, and an outlier of a thousand million",
        ),
        pytest.param([rfm_row(str(n), n, n, 1 + n, -5 * n) for n in range(20)], None, id="negative totals count as nothing"),
        pytest.param([rfm_row(str(n), -n, 0, 1, 5 + n) for n in range(20)], None, id="purchases after as_of"),
    ],
)
def test_a_strange_set_of_customers_is_segmented_all_the_same(
    spark: SparkSession, rows: list[dict[str, Any]], sizes: list[int] | None
) -> None:
    config, features = default_config(clusters=EVERY_METHOD), _features(spark, rows)
    candidates = fit_candidates(features, config)
    chosen = choose(candidates)
    names = name_segments(profile_clusters(assign_clusters(features, chosen.model)), config)
    assigned = assign_segments(features, chosen.model, names).collect()
    assert len(assigned) == len(rows)
    assert all(row["segment"] and row["distance"] >= 0 for row in assigned)
    assert {row["cluster"] for row in assigned} == set(range(chosen.k))  # none is empty
    assert sizes is None or sorted(chosen.sizes) == sizes
    assert sum(fit_reference(features, {"all": len(rows)}).shares["recency"]) == pytest.approx(1)
    assert score_customers(features, fit_scores(features, 5), "1").where("rfm_cell is null").count() == 0


def test_every_method_and_feature_set_is_tried_for_every_k(cohorts: DataFrame) -> None:
    quantile = [{"name": name, "transform": "quantile", "levels": 4} for name in ("recency", "frequency", "monetary")]
    sets = {"log": [{"name": "recency"}, {"name": "frequency"}], "quantile": quantile}
    config = default_config(feature_sets=sets, clusters={**EVERY_METHOD, "k": [4, 5]})
    candidates = fit_candidates(cohorts, config)
    shapes = [(one.feature_set, one.method) for one in candidates]
    assert shapes == [(of, method) for of in sets for method in ("kmeans", "bisecting", "mixture") for _ in (4, 5)]
    assert [one.k for one in candidates if one.method == "kmeans"] == [4, 5, 4, 5]
    finalists = [one for one in candidates if one.stability is not None]
    by_silhouette = sorted(candidates, key=lambda one: one.silhouette or -1, reverse=True)
    assert {one.label for one in finalists} == {one.label for one in by_silhouette[:2]}
    assert all(-0.5 <= (one.stability or 0) <= 1 for one in finalists)
    assert choose(candidates).score == max(one.score for one in finalists)


def test_a_candidate_with_too_small_a_cluster_is_not_chosen_while_there_is_another(spark: SparkSession) -> None:
    rows = [rfm_row(f"{kind} {n}", 40 * kind, 0, 1, 9) for kind, size in enumerate((50, 50, 1)) for n in range(size)]
    config = default_config(clusters={**QUICK, "k": [2, 3], "smallest_share": 0.05}, features=[{"name": "recency"}])
    candidates = fit_candidates(_features(spark, rows), config)
    assert [one.refused for one in candidates] == [None, "its smallest cluster is 0.99% of the customers"]
    assert choose(candidates).k == 2
    assert choose([candidates[1]]).k == 3


def _moved(features: DataFrame, one: PipelineModel, other: PipelineModel) -> float:
    """The share of customers who change sides when each cluster of the one is paired with its like in the other."""
    left = assign_clusters(features, one).select("profile_id", "cluster")
    both = left.join(assign_clusters(features, other).withColumnRenamed("cluster", "other"), "profile_id")
    shared = shared_customers(both, "cluster", "other")
    rows, columns = linear_sum_assignment(-shared)
    return 1 - float(shared[rows, columns].sum() / shared.sum())


def test_a_retraining_goes_on_from_the_champion_so_that_fewer_customers_move(spark: SparkSession, cohorts: DataFrame) -> None:
    config = default_config(clusters={"k": [8], "seed": 1, "starts": 1, "finalists": 1, "resamples": 0})
    later = _features(spark, cohort_rows(seed=8))
    champion = choose(fit_candidates(cohorts, config)).model
    other_seed = default_config(clusters={**config.clusters.model_dump(), "seed": 5})
    anew, on = choose(fit_candidates(later, other_seed)), choose(fit_candidates(later, other_seed, champion))
    assert (anew.slack, on.slack) == (None, 0.02)
    assert on.cost <= 1.02 * anew.cost
    assert sum(on.sizes) == 600
    assert _moved(later, champion, on.model) < _moved(later, champion, anew.model)


def test_a_champion_whose_clusters_became_bad_is_not_gone_on_from(spark: SparkSession) -> None:
    features = [{"name": "recency", "transform": "none"}]
    config = default_config(clusters={"k": [3], "seed": 1, "starts": 4, "resamples": 0}, features=features)

    def customers(*days: int) -> DataFrame:
        return _features(spark, [rfm_row(f"{ago} {n}", ago, 0, 1, 9) for ago in days for n in range(20)])

    champion = choose(fit_candidates(customers(0, 10, 300), config)).model
    now = fit_candidates(customers(0, 10, 300, 320, 600, 610), config, champion)[0]
    assert now.slack is None
    assert sorted(now.sizes) == [40, 40, 40]


def test_with_another_number_of_clusters_training_begins_anew(cohorts: DataFrame, quick: Candidate) -> None:
    config = default_config(clusters={**QUICK, "k": [5, 6], "finalists": 2})
    candidates = fit_candidates(cohorts, config, champion=quick.model)
    assert [one.slack for one in candidates] == [0.02, None]


def test_of_finalists_the_one_that_goes_on_is_preferred_within_its_slack(quick: Candidate) -> None:
    best, near, far = (replace(quick, silhouette=value) for value in (0.5, 0.49, 0.48))
    assert choose([best, near, far]) is best
    assert choose([best, replace(near, slack=0.02), far]).slack == 0.02
    assert choose([best, near, replace(far, slack=0.02)]) is best


def test_customers_who_are_all_alike_get_the_neutral_name(spark: SparkSession) -> None:
    config = default_config(clusters=QUICK)
    features = _features(spark, [rfm_row(str(n), 3, 20, 4, 50) for n in range(5)])
    chosen = choose(fit_candidates(features, config))
    names = name_segments(profile_clusters(assign_clusters(features, chosen.model)), config)
    assert (chosen.k, chosen.silhouette) == (1, None)
    assert [named.name for named in names.clusters] == ["Regular"]
