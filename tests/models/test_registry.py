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

from conf.errors import BadInputError
from models.assign import assign_segments
from models.features import segment_features
from models.fit import Candidate, choose, fit_candidates
from models.plots import plot_candidates, plot_centres, plot_map, plot_sizes
from models.registry import (
    CHALLENGER,
    champion_version,
    close_stale_runs,
    load_champion,
    load_version,
    promote,
    roll_back,
    version_behind,
)
from models.tracking import Segmentation, Tracking
from models.training_log import find_training, log_training
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame
from tests.models.trained import segmentation_of, training

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Logged:
    """A training that was logged once for all tests here, which only read it."""

    tracking: Tracking
    features: DataFrame
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    segmentation: Segmentation
    version: str
    scratch: Path

    def log(self, run_id: str, version: int) -> str:
        """Logs the same training again, of another version of the data: a challenger."""
        what = (self.candidates, self.chosen, self.segmentation, {}, str(self.scratch))
        return log_training(self.tracking, training(CONFIG, run_id, version), *what)


CONFIG = default_config(clusters={"k": [5, 6], "seed": 1, "starts": 1, "finalists": 1, "resamples": 1})


@pytest.fixture(scope="module")
def logged(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("mlflow")
    tracking = Tracking(f"sqlite:///{folder}/mlflow.db", "lakehouse-c360", "c360_segments")
    features = segment_features(rfm_frame(spark, cohort_rows()), AS_OF)
    candidates = fit_candidates(features, CONFIG)
    chosen = choose(candidates)
    segmentation = segmentation_of(features, chosen, CONFIG)
    names, scratch = segmentation.names, folder / "scratch"
    figures = (plot_candidates(candidates, chosen), plot_sizes(names), plot_centres(names), plot_map(names, [(3.0, 9.0, 0)]))
    plots = dict(zip(("candidates", "sizes", "centres", "map"), figures, strict=True))
    version = log_training(tracking, training(CONFIG), candidates, chosen, segmentation, plots, str(scratch))
    assert version_behind(tracking, CHALLENGER) == version
    promote(tracking, version)
    yield Logged(tracking, features, candidates, chosen, segmentation, version, scratch)
    import mlflow

    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def test_serving_gives_the_training_labels_through_save_and_load(logged: Logged) -> None:
    champion = load_champion(logged.tracking, str(logged.scratch))
    assert champion is not None
    assert champion.segmentation == logged.segmentation
    trained = assign_segments(logged.features, logged.chosen.model, logged.segmentation.names).orderBy("profile_id").collect()
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
    assert run.data.metrics["silhouette"] == pytest.approx(chosen.silhouette)
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"segments.json", "configuration.json", "environment.json", "levels.json", "plots"} <= files
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {f"plots/{name}.png" for name in ("candidates", "sizes", "centres", "map")}
    assert mlflow.models.get_model_info(f"models:/c360_segments/{version.version}").signature is not None


def test_every_candidate_is_a_nested_run_that_has_ended(logged: Logged) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    parent = client.get_model_version("c360_segments", logged.version).run_id
    experiment = client.get_experiment_by_name("lakehouse-c360").experiment_id
    nested = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
    found = {run.data.params["k"]: (run.data.metrics["silhouette"], run.data.tags["c360.chosen"]) for run in nested}
    assert found == {
        str(one.k): (pytest.approx(one.silhouette), "true" if one is logged.chosen else "false") for one in logged.candidates
    }
    assert {run.info.status for run in nested} == {"FINISHED"}


def test_a_training_of_the_same_data_and_configuration_is_found_again(logged: Logged) -> None:
    assert find_training(logged.tracking, training(CONFIG, "run-9")) == logged.version
    assert find_training(logged.tracking, training(CONFIG, version=99)) is None
    assert find_training(logged.tracking, training(default_config(clusters={"k": [5]}))) is None
    assert find_training(logged.tracking, replace(training(CONFIG), lake_id="another")) is None


def test_a_training_with_another_beginning_is_another_one(logged: Logged) -> None:
    assert find_training(logged.tracking, replace(training(CONFIG), beginning=logged.version)) is None


def test_a_training_that_ended_and_was_not_registered_is_registered_when_it_is_found(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_killed(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("models.training_log.register_challenger", be_killed)
        with pytest.raises(KeyboardInterrupt):
            logged.log("run-3", 30)
    version = find_training(logged.tracking, training(CONFIG, "run-4", 30))
    assert version == version_behind(logged.tracking, CHALLENGER)
    assert version != logged.version
    assert load_version(logged.tracking, str(version), str(logged.scratch)).segmentation == logged.segmentation


def test_a_challenger_takes_the_champions_place_and_gives_it_back(logged: Logged) -> None:
    challenger = logged.log("run-5", 50)
    assert champion_version(logged.tracking) == logged.version
    assert promote(logged.tracking, challenger) == logged.version
    assert (champion_version(logged.tracking), version_behind(logged.tracking, CHALLENGER)) == (challenger, None)
    assert roll_back(logged.tracking) == (challenger, logged.version)
    assert champion_version(logged.tracking) == logged.version


def test_there_is_nothing_to_go_back_to_from_the_first_champion(logged: Logged) -> None:
    with pytest.raises(BadInputError, match="is the first champion"):
        roll_back(logged.tracking)


def test_a_version_that_nobody_registered_is_not_promoted(logged: Logged) -> None:
    with pytest.raises(BadInputError, match="no version 99"):
        promote(logged.tracking, "99")


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


def test_a_failed_logging_leaves_no_open_run_and_no_new_challenger(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    def fail(*_: object) -> str:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("models.training_log._log_model", fail)
    with pytest.raises(RuntimeError, match="disk is full"):
        logged.log("run-2", 4)
    experiment = mlflow.get_experiment_by_name("lakehouse-c360").experiment_id
    assert mlflow.MlflowClient().search_runs([experiment], "attributes.status = 'RUNNING'") == []
    assert champion_version(logged.tracking) == logged.version
