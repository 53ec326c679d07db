"""The edge to MLflow's runs: a training is one run, with a nested one for each candidate, and ends before it registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from conf.segments import MEASURES, Feature
from models import connect_flavor
from models.local_store import store_file
from models.processes import process_tags
from models.registry import SEGMENTS_FILE, connect, register_challenger, staging
from models.tracking import Segmentation, Tracking, Training

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from pyspark.ml import PipelineModel

    from models.fit import Candidate
    from models.gate import Verdict

KEY = "c360.training_key"
BEGINNING = "c360.goes_on_from"
MODEL_URI = "c360.model_uri"
VERSION = "c360.model_version"

SEARCH = {"seed", "starts", "init_steps", "max_iterations", "finalists", "resamples", "champion_slack"}


def log_training(
    tracking: Tracking,
    training: Training,
    candidates: Sequence[Candidate],
    chosen: Candidate,
    segmentation: Segmentation,
    plots: Mapping[str, Figure],
    scratch: str,
) -> str:
    """Logs a training and registers the chosen model as the challenger; returns its version.

    The run is ended before the model is registered: a process killed on the way leaves a run that
    :func:`models.registry.close_stale_runs` closes, or a finished one that :func:`find_training` finds. ``scratch`` is a
    folder that both Spark and this process can write (on Databricks a volume); what is staged there is removed again,
    also after an error.
    """
    client = connect(tracking)
    import mlflow

    experiment_id = _experiment(client, tracking)
    tags = {"c360.lake": training.lake, "c360.lake_id": training.lake_id, "c360.run_id": training.run_id}
    tags |= {**process_tags(), **_identity(training)}
    name = f"train-segments {training.as_of:%Y-%m-%d}"
    with mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=tags) as run:
        for candidate in candidates:
            _log_candidate(client, experiment_id, run.info.run_id, candidate, candidate is chosen, tags)
        _log_facts(training, candidates, chosen, segmentation)
        mlflow.log_dict(segmentation.to_dict(), SEGMENTS_FILE)
        for title, figure in plots.items():
            mlflow.log_figure(figure, f"plots/{title}.png")
        model_uri = _log_model(chosen.model, scratch)
        mlflow.set_tag(MODEL_URI, model_uri)
    return _register(client, tracking, run.info.run_id, model_uri, training)


def find_training(tracking: Tracking, training: Training) -> str | None:
    """The version that a training of the same key and beginning made; None where there was none, or where it did not come to
    its end.

    One that was killed between its end and the registration is registered now.
    """
    client = connect(tracking)
    experiment = client.get_experiment_by_name(tracking.experiment)
    if experiment is None:
        return None
    wanted = f"attributes.status = 'FINISHED' and tags.`{KEY}` = '{training.key}'"
    for run in client.search_runs([experiment.experiment_id], wanted, order_by=["attributes.start_time DESC"]):
        if run.data.tags.get(BEGINNING, "") != training.beginning:
            continue
        if VERSION in run.data.tags:
            return str(run.data.tags[VERSION])
        if MODEL_URI in run.data.tags:
            return _register(client, tracking, run.info.run_id, run.data.tags[MODEL_URI], training)
    return None


def log_verdict(tracking: Tracking, version: str, verdict: Verdict) -> None:
    """Keeps what the gate said of a version beside the training that made it."""
    client = connect(tracking)
    run_id = str(client.get_model_version(tracking.model_name, version).run_id)
    client.log_dict(run_id, verdict.to_dict(), "gate.json")
    client.set_tag(run_id, "c360.gate", "passed" if verdict.passed else "refused")


def _register(client: MlflowClient, tracking: Tracking, run_id: str, model_uri: str, training: Training) -> str:
    version = register_challenger(tracking, model_uri, {"c360.run_id": training.run_id, **_identity(training)})
    client.set_tag(run_id, VERSION, version)
    return version


def _identity(training: Training) -> dict[str, str]:
    """The tags by which a training is found again; MLflow's stores do not all take an empty one."""
    return {KEY: training.key, **({BEGINNING: training.beginning} if training.beginning else {})}


def _experiment(client: MlflowClient, tracking: Tracking) -> str:
    """The experiment's id; beside a SQLite store its artifacts lie in the folder ``artifacts``."""
    found = client.get_experiment_by_name(tracking.experiment)
    if found is not None:
        return str(found.experiment_id)
    path = store_file(tracking.tracking_uri)
    artifacts = None if path is None else (path.parent / "artifacts").as_uri()
    return str(client.create_experiment(tracking.experiment, artifact_location=artifacts))


def _log_candidate(
    client: MlflowClient, experiment_id: str, parent: str, candidate: Candidate, is_chosen: bool, tags: Mapping[str, str]
) -> None:
    """A nested run for one candidate. Its tags are the parent's, so that a killed training leaves none of them open."""
    from mlflow.entities import Metric, Param

    own = {key: value for key, value in tags.items() if key not in (KEY, BEGINNING)} | {"mlflow.parentRunId": parent}
    own |= {"c360.chosen": str(is_chosen).lower()} | ({"c360.refused": candidate.refused} if candidate.refused else {})
    run = client.create_run(experiment_id, tags=own, run_name=candidate.label)
    facts = {"method": candidate.method, "feature_set": candidate.feature_set, "k": str(candidate.k)}
    facts |= {"shortfalls": "; ".join(candidate.shortfalls)} if candidate.shortfalls else {}
    numbers = {"cost": candidate.cost, "smallest": float(min(candidate.sizes)), "largest": float(max(candidate.sizes))}
    numbers |= {} if candidate.silhouette is None else {"silhouette": candidate.silhouette, "score": candidate.score}
    numbers |= {} if candidate.stability is None else {"stability": candidate.stability}
    metrics = [Metric(name, value, run.info.start_time, 0) for name, value in numbers.items()]
    client.log_batch(run.info.run_id, metrics=metrics, params=[Param(name, value) for name, value in facts.items()])
    client.set_terminated(run.info.run_id)


def _log_facts(training: Training, candidates: Sequence[Candidate], chosen: Candidate, segmentation: Segmentation) -> None:
    import mlflow

    config = training.config
    mlflow.log_params(
        {
            "chosen": chosen.label,
            "chosen_k": chosen.k,
            "candidates": len(candidates),
            "as_of": training.as_of.isoformat(),
            "code_version": training.code_version,
            "goes_on_from": "nothing" if chosen.slack is None else f"version {training.beginning}",
            **{f"features.{name}": ", ".join(map(_describe, features)) for name, features in config.sets.items()},
            **config.definitions,
            **config.clusters.model_dump(include=SEARCH),
            **{f"version.{table}": version for table, version in training.input_versions.items()},
        }
    )
    metrics = {"customers": float(sum(chosen.sizes)), "cost": chosen.cost, "smallest": float(min(chosen.sizes))}
    metrics |= {} if chosen.silhouette is None else {"silhouette": chosen.silhouette}
    metrics |= {} if chosen.stability is None else {"stability": chosen.stability}
    mlflow.log_metrics(metrics)
    mlflow.log_dict(config.model_dump(mode="json"), "configuration.json")
    mlflow.log_dict(dict(training.environment), "environment.json")
    short = {"shortfalls": [*chosen.shortfalls, *segmentation.scores.shortfalls]}
    mlflow.log_dict(short, "levels.json")


def _describe(feature: Feature) -> str:
    kind = f"quantile of {feature.levels}" if feature.transform == "quantile" else feature.transform
    return f"{feature.name} {kind}" + (f" cap {feature.cap}" if feature.cap else "")


def _log_model(model: PipelineModel, scratch: str) -> str:
    """Logs the pipeline in the active run and returns its URI. Requirements are named: guessing them takes 20 s."""
    import mlflow
    import pyspark
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    measures = Schema([ColSpec("double", measure) for measure in MEASURES])
    signature = ModelSignature(inputs=measures, outputs=Schema([ColSpec("integer", "prediction")]))
    requirements = [f"pyspark=={pyspark.__version__}", f"mlflow=={mlflow.__version__}"]
    what = {"artifact_path": "model", "signature": signature, "pip_requirements": requirements}
    with staging(scratch) as folder:
        if connect_flavor.needs_this_flavor():
            logged = mlflow.models.Model.log(flavor=connect_flavor, spark_model=model, staging=folder, **what)
        else:
            logged = mlflow.spark.log_model(model, dfs_tmpdir=folder, **what)
    return str(logged.model_uri)
