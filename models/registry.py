"""The edge to MLflow: trainings are logged, models registered, the champion found. With its flavour for Spark Connect
(:mod:`models.connect_flavor`) it is all that imports ``mlflow``.

``mlflow`` takes seconds to import, so every function imports it itself, and a run with nothing to do never does.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from conf.segments import MEASURES, Feature, SegmentsConfig
from models import connect_flavor
from models.local_store import SQLITE, has_open_runs, is_missing, read_alias, store_file
from models.processes import is_alive, process_tags
from models.tracking import Champion, Tracking, Training

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from pyspark.ml import PipelineModel

    from models.fit import Candidate
    from models.naming import SegmentNames

CHAMPION = "champion"
SEGMENTS_FILE = "segments.json"


def prepare_tracking(tracking: Tracking) -> None:
    """Imports MLflow and makes a local store that is missing: seconds at first, so worth doing beside other work."""
    _connect(tracking)


def log_training(
    tracking: Tracking,
    training: Training,
    candidates: Sequence[Candidate],
    chosen: Candidate,
    model: PipelineModel,
    names: SegmentNames,
    scratch: str,
) -> str:
    """Logs a training as one run, registers ``model`` (the chosen candidate's), makes it champion, returns the version.

    The run is ended before the model is registered, and the alias is set last: a process killed on the way leaves a
    run that :func:`close_stale_runs` closes, and the former champion. ``scratch`` is a folder that both Spark and this
    process can write (on Databricks a volume); what is staged there is removed again, also after an error.
    """
    client = _connect(tracking)
    import mlflow

    experiment_id = _experiment(client, tracking)
    tags = {"c360.lake": training.lake, "c360.run_id": training.run_id, **process_tags()}
    with mlflow.start_run(experiment_id=experiment_id, run_name=f"train-segments {training.as_of:%Y-%m-%d}", tags=tags):
        _log_facts(training, candidates, chosen, names)
        _log_names(names, training.config)
        model_uri = _log_model(model, scratch)
    with redirect_stderr(io.StringIO()):  # MLflow prints there that it registers; what goes wrong, it raises
        version = mlflow.register_model(model_uri, tracking.model_name, tags={"c360.run_id": training.run_id})
    client.set_registered_model_alias(tracking.model_name, CHAMPION, version.version)
    return str(version.version)


def load_champion(tracking: Tracking, scratch: str) -> Champion | None:
    """The champion with its names; None where no model was ever made champion."""
    if is_missing(tracking.tracking_uri):
        return None
    client = _connect(tracking)
    import mlflow

    found = _champion(client, tracking)
    if found is None:
        return None
    from models.naming import SegmentNames

    described = mlflow.artifacts.load_dict(f"runs:/{found.run_id}/{SEGMENTS_FILE}")
    with _staging(scratch) as folder:
        model = _load_model(f"models:/{tracking.model_name}/{found.version}", folder)
    names = SegmentNames.from_dict(described)
    return Champion(str(found.version), str(found.run_id), model, names, described["definitions"])


def champion_version(tracking: Tracking) -> str | None:
    """The champion's version, without Spark; None where there is none.

    Of a local SQLite store it is read directly, in milliseconds: importing MLflow to ask the same takes longer than all
    the rest of a run with nothing to do. Whatever that reading does not understand is asked through MLflow.
    """
    if is_missing(tracking.tracking_uri):
        return None
    path = store_file(tracking.registry_uri or tracking.tracking_uri)
    if path is not None:
        with suppress(sqlite3.Error):
            return read_alias(path, tracking.model_name, CHAMPION)
    found = _champion(_connect(tracking), tracking)
    return None if found is None else str(found.version)


def close_stale_runs(tracking: Tracking, lake: str, now: datetime) -> tuple[str, ...]:
    """Ends, as KILLED, the open runs of this lake whose process is gone, and returns their ids.

    Runs of living processes on this machine stay open, and so do those of other machines that began less than a day
    before ``now`` (UTC). A local store without open runs is read in milliseconds, so that every run can ask.
    """
    path = store_file(tracking.tracking_uri)
    if path is not None:
        with suppress(sqlite3.Error):
            if not path.is_file() or not has_open_runs(path):
                return ()
    client = _connect(tracking)
    experiment = client.get_experiment_by_name(tracking.experiment)
    if experiment is None:
        return ()
    running = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
    ours = [run for run in running if run.data.tags.get("c360.lake") == lake]
    stale = [run for run in ours if not is_alive(run.data.tags, run.info.start_time, now)]
    for run in stale:
        client.set_terminated(run.info.run_id, "KILLED")
    return tuple(run.info.run_id for run in stale)


def _connect(tracking: Tracking) -> MlflowClient:
    """A client of the declared server, with MLflow told to keep quiet and to send nothing anywhere else."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # without git, MLflow's git library prints a page
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)  # importing it sets the level back
    path = store_file(tracking.tracking_uri)
    if path is not None and not path.is_file():
        _create_sqlite_store(path)
    mlflow.set_tracking_uri(tracking.tracking_uri)
    mlflow.set_registry_uri(tracking.registry_uri or tracking.tracking_uri)
    return mlflow.MlflowClient()


def _create_sqlite_store(path: Path) -> None:
    """Makes the store elsewhere and puts it in its place at once: one killed half-way through would never open again.

    MLflow builds it in seventy migrations, each written through to the disk; in memory that takes half the time.
    """
    import mlflow

    path.parent.mkdir(parents=True, exist_ok=True)
    memory = Path("/dev/shm")  # noqa: S108 - only a faster place for the folder that is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        made = Path(folder) / path.name
        mlflow.MlflowClient(tracking_uri=f"{SQLITE}{made}").search_experiments(max_results=1)
        staged = path.with_name(f"{path.name}.{uuid4().hex}.new")
        shutil.copyfile(made, staged)
    staged.replace(path)


def _champion(client: MlflowClient, tracking: Tracking) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(tracking.model_name, CHAMPION)
    except MlflowException as error:
        # A registry says that the model is unknown, or that it has no such alias; anything else is an error.
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"):
            return None
        raise


def _experiment(client: MlflowClient, tracking: Tracking) -> str:
    """The experiment's id; beside a SQLite store its artifacts lie in the folder ``artifacts``."""
    found = client.get_experiment_by_name(tracking.experiment)
    if found is not None:
        return str(found.experiment_id)
    path = store_file(tracking.tracking_uri)
    artifacts = None if path is None else (path.parent / "artifacts").as_uri()
    return str(client.create_experiment(tracking.experiment, artifact_location=artifacts))


def _log_facts(training: Training, candidates: Sequence[Candidate], chosen: Candidate, names: SegmentNames) -> None:
    import mlflow

    config = training.config
    mlflow.log_params(
        {
            "chosen_k": chosen.k,
            "k": ",".join(str(candidate.k) for candidate in candidates),
            "as_of": training.as_of.isoformat(),
            "code_version": training.code_version,
            "features": ", ".join(_describe(feature) for feature in config.features),
            "frequency": config.frequency,
            "monetary": config.monetary,
            **config.clusters.model_dump(include={"seed", "starts", "max_iterations"}),
            **{f"version.{table}": version for table, version in training.input_versions.items()},
        }
    )
    metrics = {"customers": float(sum(named.customers for named in names.clusters))}
    for candidate in candidates:
        metrics |= {f"cost_k{candidate.k}": candidate.cost, f"smallest_k{candidate.k}": float(min(candidate.sizes))}
        if candidate.silhouette is not None:
            metrics[f"silhouette_k{candidate.k}"] = candidate.silhouette
    if chosen.silhouette is not None:
        metrics["silhouette"] = chosen.silhouette
    mlflow.log_metrics(metrics)
    mlflow.log_dict(config.model_dump(mode="json"), "configuration.json")


def _describe(feature: Feature) -> str:
    return f"{feature.name} {feature.transform}" + (f" cap {feature.cap:g}" if feature.cap else "")


def _log_names(names: SegmentNames, config: SegmentsConfig) -> None:
    import mlflow

    from models.plots import plot_centres, plot_sizes

    mlflow.log_dict({**names.to_dict(), "definitions": config.definitions}, SEGMENTS_FILE)
    mlflow.log_figure(plot_sizes(names), "plots/sizes.png")
    mlflow.log_figure(plot_centres(names), "plots/centres.png")


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
    with _staging(scratch) as folder:
        if connect_flavor.needs_this_flavor():
            logged = mlflow.models.Model.log(flavor=connect_flavor, spark_model=model, staging=folder, **what)
        else:
            logged = mlflow.spark.log_model(model, dfs_tmpdir=folder, **what)
    return str(logged.model_uri)


def _load_model(uri: str, folder: str) -> PipelineModel:
    import mlflow

    if connect_flavor.needs_this_flavor():
        return connect_flavor.load_model(uri, folder)
    return mlflow.spark.load_model(uri, dfs_tmpdir=folder)


@contextmanager
def _staging(scratch: str) -> Iterator[str]:
    """A folder of its own for what MLflow stages between Spark and the store; MLflow itself cleans only on success."""
    folder = Path(scratch) / f"mlflow-{uuid4().hex}"
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
