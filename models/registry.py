"""The edge to MLflow's registry: which version serves, what is loaded of it, how another one takes its place.

With :mod:`models.training_log` and the flavour for Spark Connect (:mod:`models.connect_flavor`) it is all that imports
``mlflow``, which takes seconds: every function imports it itself, and a run with nothing to do never does.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from conf.errors import BadInputError
from models import connect_flavor
from models.local_store import SQLITE, has_open_runs, is_missing, read_alias, store_file
from models.processes import is_alive
from models.tracking import Segmentation, Served, Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from pyspark.ml import PipelineModel

CHAMPION = "champion"
CHALLENGER = "challenger"
SEGMENTS_FILE = "segments.json"
FORMER = "c360.former_champion"
ROLLED_BACK = "c360.rolled_back"


def prepare_tracking(tracking: Tracking) -> None:
    """Imports MLflow and makes a local store that is missing: seconds at first, so worth doing beside other work."""
    connect(tracking)


def champion_version(tracking: Tracking) -> str | None:
    """The champion's version, without Spark; None where there is none."""
    return version_behind(tracking, CHAMPION)


def version_behind(tracking: Tracking, alias: str) -> str | None:
    """The version that an alias stands for, without Spark; None where there is none.

    Of a local SQLite store it is read directly, in milliseconds: importing MLflow to ask the same takes longer than all
    the rest of a run with nothing to do. Whatever that reading does not understand is asked through MLflow.
    """
    if is_missing(tracking.tracking_uri):
        return None
    path = store_file(tracking.registry_uri or tracking.tracking_uri)
    if path is not None:
        with suppress(sqlite3.Error):
            return read_alias(path, tracking.model_name, alias)
    found = _behind(connect(tracking), tracking, alias)
    return None if found is None else str(found.version)


def load_champion(tracking: Tracking, scratch: str) -> Served | None:
    """The champion with all that serving needs; None where no model was ever made champion."""
    version = champion_version(tracking)
    return None if version is None else load_version(tracking, version, scratch)


def load_version(tracking: Tracking, version: str, scratch: str) -> Served:
    """A registered version with all that serving needs. ``scratch`` is a folder that Spark and this process can write."""
    client = connect(tracking)
    import mlflow

    found = client.get_model_version(tracking.model_name, version)
    described = mlflow.artifacts.load_dict(f"runs:/{found.run_id}/{SEGMENTS_FILE}")
    with staging(scratch) as folder:
        model = _load_model(f"models:/{tracking.model_name}/{version}", folder)
    return Served(version, str(found.run_id), model, Segmentation.from_dict(described), dict(found.tags))


def register_challenger(tracking: Tracking, model_uri: str, tags: dict[str, str]) -> str:
    """Registers a logged model as the challenger, and returns its version."""
    client = connect(tracking)
    import mlflow

    with redirect_stderr(io.StringIO()):  # MLflow prints there that it registers; what goes wrong, it raises
        version = mlflow.register_model(model_uri, tracking.model_name, tags=tags)
    client.set_registered_model_alias(tracking.model_name, CHALLENGER, version.version)
    return str(version.version)


def promote(tracking: Tracking, version: str) -> str | None:
    """Makes a version champion, and returns the former one's version, to which :func:`roll_back` leads.

    The alias is set last: a process killed on the way leaves the former champion in its place. Raises BadInputError for a
    version that is not registered.
    """
    client = connect(tracking)
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_model_version(tracking.model_name, version)
    except MlflowException as error:
        if not _is_unknown(error):
            raise
        raise BadInputError(f"The model {tracking.model_name} has no version {version}.") from None
    former = champion_version(tracking)
    if former == version:
        return former
    if former is not None:
        client.set_model_version_tag(tracking.model_name, version, FORMER, former)
    if ROLLED_BACK in found.tags:
        client.delete_model_version_tag(tracking.model_name, version, ROLLED_BACK)
    client.set_registered_model_alias(tracking.model_name, CHAMPION, version)
    if version_behind(tracking, CHALLENGER) == version:
        client.delete_registered_model_alias(tracking.model_name, CHALLENGER)
    return former


def roll_back(tracking: Tracking) -> tuple[str, str]:
    """Makes the champion before today's champion again; returns both versions, today's first.

    The version that is left is marked, so that no gate lets it in again by itself. Raises BadInputError where there is
    none to go back to.
    """
    champion = champion_version(tracking)
    if champion is None:
        raise BadInputError(f"The model {tracking.model_name} has no champion, so there is none to go back from.")
    client = connect(tracking)
    former = client.get_model_version(tracking.model_name, champion).tags.get(FORMER)
    if former is None:
        raise BadInputError(f"Version {champion} of {tracking.model_name} is the first champion: there is none before it.")
    client.set_model_version_tag(tracking.model_name, champion, ROLLED_BACK, "true")
    client.set_registered_model_alias(tracking.model_name, CHAMPION, former)
    return champion, former


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
    client = connect(tracking)
    experiment = client.get_experiment_by_name(tracking.experiment)
    if experiment is None:
        return ()
    running = client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
    ours = [run for run in running if run.data.tags.get("c360.lake") == lake]
    stale = [run for run in ours if not is_alive(run.data.tags, run.info.start_time, now)]
    for run in stale:
        client.set_terminated(run.info.run_id, "KILLED")
    return tuple(run.info.run_id for run in stale)


def connect(tracking: Tracking) -> MlflowClient:
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


def _behind(client: MlflowClient, tracking: Tracking, alias: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(tracking.model_name, alias)
    except MlflowException as error:
        if _is_unknown(error):
            return None
        raise


def _is_unknown(error: Any) -> bool:
    """Whether a registry says that the model is unknown, or has no such alias or version; anything else is an error."""
    return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")


def _load_model(uri: str, folder: str) -> PipelineModel:
    import mlflow

    if connect_flavor.needs_this_flavor():
        return connect_flavor.load_model(uri, folder)
    return mlflow.spark.load_model(uri, dfs_tmpdir=folder)


@contextmanager
def staging(scratch: str) -> Iterator[str]:
    """A folder of its own for what MLflow stages between Spark and the store; MLflow itself cleans only on success."""
    folder = Path(scratch) / f"mlflow-{uuid4().hex}"
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
