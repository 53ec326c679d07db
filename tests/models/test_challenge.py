"""A retraining: which cluster is whose, and what the champion is on the challenger's customers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyspark.sql import DataFrame, SparkSession

from models.assign import assign_clusters, assign_segments
from models.challenge import face_champion
from models.features import segment_features
from models.fit import Candidate, choose, fit_candidates
from models.gate import Standing, judge
from models.naming import SegmentNames, name_segments
from models.profiles import profile_clusters
from models.tracking import Served
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame
from tests.models.trained import segmentation_of

CONFIG = default_config(clusters={"k": [6], "seed": 1, "starts": 2, "finalists": 1, "resamples": 0})
OTHER_SEED = default_config(clusters={"k": [6], "seed": 77, "starts": 2, "finalists": 1, "resamples": 0})


@pytest.fixture(scope="module")
def features(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    path = str(tmp_path_factory.mktemp("challenge") / "features")
    segment_features(rfm_frame(spark, cohort_rows()), AS_OF).write.parquet(path)
    return spark.read.parquet(path)


@pytest.fixture(scope="module")
def champion(features: DataFrame) -> Served:
    """A model whose names were changed by hand since, so that a new naming would not come to the same ones."""
    chosen = choose(fit_candidates(features, CONFIG))
    segmentation = segmentation_of(features, chosen, CONFIG)
    renamed = [replace(one, name={"VIP": "VIP 2"}.get(one.name, one.name)) for one in segmentation.names.clusters]
    names = SegmentNames(tuple(renamed), segmentation.names.names_without_customers)
    return Served("1", "run", chosen.model, replace(segmentation, names=names), {})


@pytest.fixture(scope="module")
def challenger(features: DataFrame) -> Candidate:
    return choose(fit_candidates(features, OTHER_SEED))


def test_a_retrained_model_keeps_the_names_of_its_customers(features: DataFrame, champion: Served, challenger: Candidate) -> None:
    profiles = profile_clusters(assign_clusters(features, challenger.model))
    former, before = face_champion(features, challenger.model, profiles, champion, CONFIG.clusters)
    names = name_segments(profiles, CONFIG, before)
    then = assign_segments(features, champion.model, champion.names).select("profile_id", "segment")
    now = assign_segments(features, challenger.model, names).withColumnRenamed("segment", "now")
    moved = then.join(now, "profile_id").where("segment <> now").count()
    assert former.agreement > 0.9
    assert moved <= 0.02 * sum(challenger.sizes)
    assert "VIP 2" in {named.name for named in names.clusters}
    assert judge(Standing("2", challenger.silhouette, names), former, CONFIG).passed


def test_a_model_faced_with_itself_is_the_same(features: DataFrame, champion: Served) -> None:
    profiles = profile_clusters(assign_clusters(features, champion.model))
    former, before = face_champion(features, champion.model, profiles, champion, CONFIG.clusters)
    assert former.agreement == 1.0
    assert former.standing.silhouette == pytest.approx(champion.segmentation.silhouette)
    assert {cluster: name.name for cluster, name in before.items()} == {n.cluster: n.name for n in champion.names.clusters}
    assert {name.share for name in before.values()} == {1.0}


def test_a_champion_whose_customers_have_all_become_alike_has_no_silhouette(
    spark: SparkSession, features: DataFrame, champion: Served, challenger: Candidate
) -> None:
    alike = features.limit(1).crossJoin(spark.range(5).select()).select(*features.columns)
    profiles = profile_clusters(assign_clusters(alike, challenger.model))
    former, _ = face_champion(alike, challenger.model, profiles, champion, CONFIG.clusters)
    assert (former.standing.silhouette, former.agreement) == (None, 1.0)
