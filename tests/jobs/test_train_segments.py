"""What a training does with its model: it serves, waits, or stays a challenger, and what was done once is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.project import load_project
from conf.segments import SegmentsConfig
from conf.tables.gold import RFM
from jobs.runtime.lake import Lake
from jobs.runtime.merge import merge
from jobs.runtime.run_log import RunLog, make_lake
from jobs.runtime.stage import Outcome, Run
from jobs.train_segments import _training, tracking_of, train_segments
from models.assign import assign_segments
from models.features import segment_features
from models.registry import CHALLENGER, champion_version, load_version, promote, roll_back, version_behind
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame

CLUSTERS = {"k": [6], "seed": 1, "starts": 1, "finalists": 1, "resamples": 1}
LENIENT = default_config(clusters={**CLUSTERS, "champion_slack": 1})


@dataclass
class Shop:
    """A lake with customers, and the trainings that were done on it."""

    spark: SparkSession
    lake: Lake

    def train(self, config: SegmentsConfig | None = None, **asked: Any) -> Outcome:
        """One run of the stage; what is not said is that a person asked for it."""
        (outcome,) = train_segments(self.run(config, **{"train": True, **asked}))
        return outcome

    def run(self, config: SegmentsConfig | None = None, **asked: Any) -> Run:
        project = replace(load_project(lake=self.lake.root), segments=config or default_config(clusters=CLUSTERS))
        return Run(project, self.lake, "a-run", AS_OF, RunLog(), lambda: self.spark, AS_OF, **asked)

    def deliver(self, seed: int) -> None:
        """Other customers of the same kinds."""
        merge(self.spark, self.lake, RFM, rfm_frame(self.spark, cohort_rows(seed=seed)))

    @property
    def standing(self) -> tuple[str | None, str | None]:
        """The versions that serve and that want to."""
        tracking = tracking_of(self.run())
        return champion_version(tracking), version_behind(tracking, CHALLENGER)


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """With its first model, which nobody asked for."""
    shop = Shop(spark, Lake(str(tmp_path_factory.mktemp("trained"))))
    shop.deliver(seed=7)
    (outcome,) = train_segments(shop.run())
    assert (outcome.why, outcome.counts["promoted"]) == ("no champion", True)
    yield shop
    import mlflow

    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def test_the_first_model_serves_and_nothing_is_trained_again_unasked(shop: Shop) -> None:
    assert shop.standing == ("1", None)
    assert not shop.train(train=False).ran


def test_the_same_data_and_configuration_are_not_trained_on_twice(shop: Shop) -> None:
    outcome = shop.train()
    assert outcome.counts["reused"]
    assert outcome.counts["notes"] == ["Version 1, the champion, was trained on the same data and configuration."]
    assert shop.standing == ("1", None)


def test_a_lake_that_is_dropped_and_built_again_is_other_data_though_its_versions_are_the_same(shop: Shop) -> None:
    keys = set()
    for _ in range(2):
        make_lake(shop.spark, shop.lake, shop.run().project.settings, AS_OF)
        keys.add(_training(shop.run(), 1).key)
        shutil.rmtree(f"{shop.lake.root}/ops/lake")
    assert len(keys) == 2


def test_a_training_that_is_repeated_gives_the_same_labels_and_metrics(spark: SparkSession, shop: Shop) -> None:
    outcome = shop.train(full_refresh=True, approve=True)
    tracking, scratch = tracking_of(shop.run()), f"{shop.lake.root}/_scratch"
    features = segment_features(rfm_frame(spark, cohort_rows()), AS_OF)
    one, other = (load_version(tracking, version, scratch) for version in ("1", outcome.counts["model_version"]))
    labels = [assign_segments(features, model.model, model.names).orderBy("profile_id").collect() for model in (one, other)]
    assert labels[0] == labels[1]
    assert _metrics(one.mlflow_run_id) == pytest.approx(_metrics(other.mlflow_run_id), abs=1e-9)


@pytest.fixture(scope="module")
def retrained(shop: Shop) -> list[Outcome]:
    """Trainings on other data, twice the same, for a person to approve."""
    shop.deliver(seed=9)
    return [shop.train(LENIENT, approve=True, full_refresh=again) for again in (False, True)]


def test_a_training_on_other_data_goes_on_from_the_champion_and_so_does_its_repetition(
    shop: Shop, retrained: list[Outcome]
) -> None:
    trained = [outcome.counts["model_version"] for outcome in retrained]
    assert len(set(trained)) == 2
    tracking, scratch = tracking_of(shop.run()), f"{shop.lake.root}/_scratch"
    runs = [load_version(tracking, version, scratch).mlflow_run_id for version in trained]
    assert [_params(run)["goes_on_from"] for run in runs] == ["version 1", "version 1"]
    assert _metrics(runs[0]) == pytest.approx(_metrics(runs[1]), abs=1e-9)


def _params(run_id: str) -> dict[str, str]:
    import mlflow

    return mlflow.MlflowClient().get_run(run_id).data.params


def _metrics(run_id: str) -> dict[str, float]:
    import mlflow

    return mlflow.MlflowClient().get_run(run_id).data.metrics


def test_a_model_that_a_person_has_to_approve_waits_and_can_be_taken_back_for_good(shop: Shop, retrained: list[Outcome]) -> None:
    version = retrained[-1].counts["model_version"]
    assert retrained[-1].counts["notes"][0] == f"Version {version} passed the gate and waits for `c360 promote-segments`."
    assert shop.standing == ("1", version)
    promote(tracking_of(shop.run()), version)
    roll_back(tracking_of(shop.run()))
    again = shop.train(LENIENT)
    assert again.counts["notes"] == [f"Version {version} stays challenger:", f"Version {version} was rolled back."]
    assert shop.standing[0] == "1"


def test_a_model_that_the_gate_refuses_stays_challenger_and_says_why(shop: Shop) -> None:
    strict = default_config(clusters={**CLUSTERS, "k": [3]}, gate={"agreement": 0.99, "silhouette_drop": 2})
    outcome = shop.train(strict)
    assert not outcome.counts["promoted"]
    assert any("adjusted Rand index" in note for note in outcome.counts["notes"])
    assert shop.standing[0] == "1"


def test_other_measures_have_no_champion_to_be_compared_with(shop: Shop) -> None:
    outcome = shop.train(default_config(clusters=CLUSTERS, monetary="mean_day"), approve=True)
    assert "There was no champion to compare it with." in outcome.counts["notes"]
