"""Train segments: fit, choose, name, log and register a model, where there is no champion or somebody asks for one."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import StageError
from conf.project import fingerprint
from conf.tables.gold import RFM
from jobs.runtime.lake import Lake, read, scratch, version_of
from jobs.runtime.run_log import StageRecord, write_record
from jobs.runtime.stage import Outcome, Run
from models.registry import champion_version, close_stale_runs
from models.tracking import Tracking, Training

if TYPE_CHECKING:
    from models.fit import Candidate
    from models.naming import SegmentNames

STAGE = "train-segments"


def train_segments(run: Run) -> list[Outcome]:
    """Trains where it has to, and closes what a killed training left open."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    tracking = tracking_of(run)
    close_stale_runs(tracking, lake_label(run.lake), run.started_at)
    champion = champion_version(tracking)
    last = run.log.last_done(STAGE)
    why = "asked for" if run.train else ("" if champion else "no champion")
    if champion and last is not None and last.fingerprint != measures_of(run):
        why = "measures changed"
    if not why:
        return [Outcome(STAGE, False, f"version {champion} is champion", time.monotonic() - clock, {})]
    if last is not None and last.as_of and run.as_of and run.as_of.date() < last.as_of.date():
        return [Outcome(STAGE, False, "nothing: an earlier as_of only reads", time.monotonic() - clock, {})]
    data_version = version_of(run.session_if_needed(), run.lake, RFM.name)
    if data_version < 1 or run.as_of is None or read(run.spark, run.lake, RFM).isEmpty():
        return [Outcome(STAGE, False, "nobody has bought yet", time.monotonic() - clock, {})]
    counts = _train(run, tracking, data_version)
    seconds = time.monotonic() - clock
    record = StageRecord(
        run.run_id, STAGE, "done", why, run.as_of, measures_of(run), {RFM.name: data_version}, {}, counts, started, seconds
    )  # fmt: skip
    write_record(run.spark, run.lake, record)
    return [Outcome(STAGE, True, why, seconds, counts)]


def _train(run: Run, tracking: Tracking, data_version: int) -> dict[str, Any]:
    from models.assign import assign_clusters
    from models.features import segment_features
    from models.fit import choose, fit_candidates
    from models.naming import name_segments
    from models.profiles import profile_clusters
    from models.registry import log_training

    assert run.as_of is not None
    config = run.project.segments
    features = scratch(run.spark, run.lake, "training", segment_features(read(run.spark, run.lake, RFM), run.as_of))
    candidates = fit_candidates(features, config)
    chosen = choose(candidates)
    names = name_segments(profile_clusters(assign_clusters(features, chosen.model)), config)
    training = Training(
        lake_label(run.lake), run.run_id, run.as_of, {RFM.name: data_version}, _code_version(), config
    )  # fmt: skip
    version_made = log_training(tracking, training, candidates, chosen, chosen.model, names, staging_folder(run))
    return _counts(version_made, candidates, chosen, names)


def _counts(version_made: str, candidates: tuple[Candidate, ...], chosen: Candidate, names: SegmentNames) -> dict[str, Any]:
    return {
        "model_version": version_made,
        "k": chosen.k,
        "silhouette_by_k": {str(c.k): c.silhouette for c in candidates},
        "names_without_customers": list(names.names_without_customers),
        "segments": [{k: v for k, v in asdict(c).items() if k in ("name", "customers", "why")} for c in names.clusters],
    }


def measures_of(run: Run) -> str:
    """Fingerprint of what the measures mean: a model serves only customers who are measured as its own were."""
    return fingerprint(json.dumps(run.project.segments.definitions))


def tracking_of(run: Run) -> Tracking:
    """Where MLflow is: as the settings say, or a SQLite store beside the tables of a lake in a folder."""
    settings = run.project.settings
    uri = settings.tracking_uri
    if uri is None:
        if run.lake.local_root is None:
            raise StageError("`tracking_uri` is needed in conf/env/: the lake is no folder of this machine.")
        uri = f"sqlite:///{run.lake.local_root / 'mlflow' / 'mlflow.db'}"
    elif uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        uri = f"sqlite:///{Path(uri.removeprefix('sqlite:///')).resolve()}"
    return Tracking(uri, settings.experiment, settings.model_name, settings.registry_uri)


def lake_label(lake: Lake) -> str:
    """The lake's name among those that share an experiment."""
    return lake.root or f"{lake.catalog}.{lake.schema_prefix}"


def staging_folder(run: Run) -> str:
    """A folder that Spark and this process can both write, for models on their way to and from MLflow."""
    if run.lake.local_root is not None:
        return str(run.lake.local_root / "_scratch")
    return f"{run.project.settings.landing.rstrip('/')}/_scratch"


def _code_version() -> str:
    try:
        return version("lakehouse-c360")
    except PackageNotFoundError:  # run from a folder or a zip without metadata
        return "unknown"
