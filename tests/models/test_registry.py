"""What MLflow holds after a training, and what serving gets back from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from models.assign import assign_clusters, assign_segments
from models.features import segment_features
from models.fit import Candidate, choose, fit_candidates
from models.naming import SegmentNames, name_segments
from models.profiles import profile_clusters
from models.registry import champion_version, close_stale_runs, load_champion, log_training
from models.tracking import Tracking, Training
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Logged:
    """A training that was logged once for all tests here, which only read it."""

    tracking: Tracking
    features: DataFrame
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    names: SegmentNames
    version: str
    scratch: Path


@pytest.fixture(scope="module")
def logged(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking(f"sqlite:///{folder}/mlflow.db", "lakehouse-c360", "c360_segments")
    config = default_config(clusters={"k": [5, 6], "seed": 1, "starts": 1})
    features = segment_features(rfm_frame(spark, cohort_rows()), AS_OF)
    candidates = fit_candidates(features, config)
    chosen = choose(candidates)
    names = name_segments(profile_clusters(assign_clusters(features, chosen.model)), config)
    training = Training("a-lake", "run-1", AS_OF, {"gold.rfm": 3}, "0.1.0", config)
    scratch = folder / "scratch"
    version = log_training(tracking, training, candidates, chosen, chosen.model, names, str(scratch))
    yield Logged(tracking, features, candidates, chosen, names, version, scratch)
    import mlflow

    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def test_serving_gives_the_training_labels_through_save_and_load(logged: Logged) -> None:
    champion = load_champion(logged.tracking, str(logged.scratch))
    assert champion is not None
    assert champion.names == logged.names
    trained = assign_segments(logged.features, logged.chosen.model, logged.names).orderBy("profile_id").collect()
    served = assign_segments(logged.features, champion.model, champion.names).orderBy("profile_id").collect()
    assert served == trained


def test_the_run_holds_parameters_metrics_plots_and_names(logged: Logged) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("c360_segments", "champion")
    run = client.get_run(version.run_id)
    chosen = logged.chosen
    assert run.info.status == "FINISHED"
    assert run.data.tags["c360.lake"] == "a-lake"
    assert run.data.params["version.gold.rfm"] == "3"
    assert run.data.params["chosen_k"] == str(chosen.k)
    assert {f"silhouette_k{k}" for k in (5, 6)} <= set(run.data.metrics)
    assert run.data.metrics["silhouette"] == pytest.approx(chosen.silhouette)
    assert {"segments.json", "configuration.json", "plots"} <= {file.path for file in client.list_artifacts(run.info.run_id)}
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {"plots/sizes.png", "plots/centres.png"}
    assert mlflow.models.get_model_info(f"models:/c360_segments/{version.version}").signature is not None


def test_nothing_staged_is_left_behind(logged: Logged) -> None:
    assert not logged.scratch.exists() or list(logged.scratch.iterdir()) == []


def test_the_champion_has_the_definitions_it_was_trained_on(logged: Logged) -> None:
    champion = load_champion(logged.tracking, str(logged.scratch))
    assert champion is not None
    assert champion.definitions == default_config().definitions
    assert champion.definitions != default_config(monetary="mean_day").definitions


def test_the_version_is_known_without_loading_anything(logged: Logged) -> None:
    assert champion_version(logged.tracking) == logged.version == "1"


def test_asking_for_the_version_of_a_local_store_does_not_import_mlflow(logged: Logged) -> None:
    code = (
        "import sys; from models.registry import champion_version; from models.tracking import Tracking; "
        f"print(champion_version(Tracking({logged.tracking.tracking_uri!r}, 'lakehouse-c360', 'c360_segments'))); "
        "print('mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_a_model_that_nobody_registered_has_no_champion(logged: Logged) -> None:
    unknown = replace(logged.tracking, model_name="unknown")
    assert champion_version(unknown) is None
    assert load_champion(unknown, str(logged.scratch)) is None


def test_a_store_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path}/none.db", "lakehouse-c360", "c360_segments")
    assert champion_version(tracking) is None
    assert load_champion(tracking, str(tmp_path)) is None
    assert close_stale_runs(tracking, "a-lake", datetime(2024, 1, 1, tzinfo=timezone.utc)) == ()
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_process_was_killed_is_closed_and_others_stay_open(logged: Logged) -> None:
    import mlflow

    from models.processes import process_tags

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("lakehouse-c360").experiment_id
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        process.kill()
    dead = {**process_tags(), "c360.process": str(process.pid), "c360.lake": "a-lake"}
    killed = client.create_run(experiment, tags=dead).info.run_id
    of_another_lake = client.create_run(experiment, tags={**dead, "c360.lake": "another"}).info.run_id
    living = client.create_run(experiment, tags={**process_tags(), "c360.lake": "a-lake"}).info.run_id
    closed = close_stale_runs(logged.tracking, "a-lake", AS_OF)
    states = [client.get_run(run).info.status for run in (killed, of_another_lake, living)]
    assert closed == (killed,)
    assert states == ["KILLED", "RUNNING", "RUNNING"]
    for run in (of_another_lake, living):
        client.set_terminated(run)


def test_a_failed_logging_leaves_no_open_run_and_no_new_champion(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    def fail(*_: object) -> str:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("models.registry._log_model", fail)
    training = Training("a-lake", "run-2", AS_OF, {"gold.rfm": 4}, "0.1.0", default_config())
    chosen = logged.chosen
    with pytest.raises(RuntimeError, match="disk is full"):
        log_training(logged.tracking, training, logged.candidates, chosen, chosen.model, logged.names, "unused")
    experiment = mlflow.get_experiment_by_name("lakehouse-c360").experiment_id
    assert mlflow.MlflowClient().search_runs([experiment], "attributes.status = 'RUNNING'") == []
    assert champion_version(logged.tracking) == logged.version
