"""Train segments: fit, choose, name, log and register a challenger, hold it against the champion, and promote it."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict, replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import StageError
from conf.project import fingerprint
from conf.tables.gold import RFM
from jobs.runtime.lake import Lake, read, version_of
from jobs.runtime.run_log import StageRecord, lake_id_of, write_record
from jobs.runtime.scratch import scratch
from jobs.runtime.stage import EARLIER, Outcome, Run, only_reads
from models.registry import (
    CHALLENGER,
    ROLLED_BACK,
    champion_version,
    close_stale_runs,
    load_champion,
    load_version,
    promote,
    version_behind,
)
from models.tracking import Segmentation, Served, Tracking, Training

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

    from models.fit import Candidate
    from models.gate import Former, Standing

STAGE = "train-segments"
PACKAGES = ("pyspark", "delta-spark", "mlflow", "numpy", "pandas", "pyarrow", "scipy")
POINTS_ON_THE_MAP = 2_000


def train_segments(run: Run) -> list[Outcome]:
    """Trains where it has to, lets the gate decide, and closes what a killed training left open."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    tracking = tracking_of(run)
    close_stale_runs(tracking, lake_label(run.lake), run.started_at)
    why, is_needed = _reason(run, tracking)
    if is_needed:
        data_version = version_of(run.session_if_needed(), run.lake, RFM.name)
        if data_version < 1 or run.as_of is None or read(run.spark, run.lake, RFM).isEmpty():
            why, is_needed = "nobody has bought yet", False
    if not is_needed:
        return [Outcome(STAGE, False, why, time.monotonic() - clock, {})]
    counts = {"trained_on": {RFM.name: data_version}, **_train(run, tracking, data_version)}
    seconds = time.monotonic() - clock
    # No inputs: it keeps no place in a change feed, so no VACUUM has to wait for the next training.
    record = StageRecord(run.run_id, STAGE, "done", why, run.as_of, measures_of(run), {}, {}, counts, started, seconds)
    write_record(run.spark, run.lake, record)
    return [Outcome(STAGE, True, why, seconds, counts)]


def _reason(run: Run, tracking: Tracking) -> tuple[str, bool]:
    """Why a training is needed, or why it is not, and which of both."""
    champion, last = champion_version(tracking), run.log.last_done(STAGE)
    have_changed = champion is not None and last is not None and last.fingerprint != measures_of(run)
    why = "measures changed" if have_changed else "asked for" if run.train else "" if champion else "no champion"
    if not why:
        return f"version {champion} is champion", False
    waiting = version_behind(tracking, CHALLENGER)
    if not run.train and champion is None and waiting and _waits_for_a_person(run):
        return f"version {waiting} waits to be promoted", False
    if only_reads(run, last):
        return f"nothing: {EARLIER}", False
    return why, True


def _train(run: Run, tracking: Tracking, data_version: int) -> dict[str, Any]:
    """A model of the same data and configuration is taken again; it must be no other than a new training would give."""
    from models.features import segment_features
    from models.training_log import find_training

    assert run.as_of is not None
    champion = _comparable_champion(run, tracking)
    training = _training(run, data_version)
    training = replace(training, beginning=_beginning(training, champion))
    found = None if run.full_refresh else find_training(tracking, training)
    if champion is not None and found == champion.version:
        said = f"Version {found}, the champion, was trained on the same data and configuration."
        return {"model_version": found, "reused": True, "notes": [said]}
    rows = segment_features(read(run.spark, run.lake, RFM), run.as_of, run.project.segments.window_days)
    features = scratch(run.spark, run.lake, "training", rows)
    if found is None:
        challenger, former, counts = _fit(run, tracking, training, features, champion)
        return {**counts, **_decide(run, tracking, challenger, former, None)}
    served = load_version(tracking, found, staging_folder(run))
    challenger, former = _face(run, features, served, champion)
    rolled_back = f"Version {found} was rolled back." if ROLLED_BACK in served.tags else None
    return {"model_version": found, "reused": True, **_decide(run, tracking, challenger, former, rolled_back)}


def _fit(
    run: Run, tracking: Tracking, training: Training, features: DataFrame, champion: Served | None
) -> tuple[Standing, Former | None, dict[str, Any]]:
    from models.assign import assign_clusters
    from models.challenge import face_champion
    from models.drift import fit_reference
    from models.fit import choose, fit_candidates
    from models.gate import Standing
    from models.naming import name_segments
    from models.plots import plot_candidates, plot_centres, plot_map, plot_sizes
    from models.profiles import map_points, profile_clusters
    from models.scores import fit_scores
    from models.training_log import log_training

    config = training.config
    candidates = fit_candidates(features, config, _model_to_begin_with(run, tracking, training, champion))
    chosen = choose(candidates)
    clusters = assign_clusters(features, chosen.model)
    profiles = profile_clusters(clusters)
    former, names_before = None, None
    if champion is not None:
        former, names_before = face_champion(features, chosen.model, profiles, champion, config.clusters)
    names = name_segments(profiles, config, names_before)
    reference = fit_reference(features, {named.name: named.customers for named in names.clusters})
    scores = fit_scores(features, config.scores.levels)
    segmentation = Segmentation(names, scores, reference, config.definitions, chosen.silhouette)
    plots = {
        "candidates": plot_candidates(candidates, chosen),
        "sizes": plot_sizes(names),
        "centres": plot_centres(names),
        "map": plot_map(names, map_points(clusters, POINTS_ON_THE_MAP)),
    }
    made = log_training(tracking, training, candidates, chosen, segmentation, plots, staging_folder(run))
    return Standing(made, chosen.silhouette, names), former, _counts(made, candidates, chosen, segmentation)


def _face(run: Run, features: DataFrame, served: Served, champion: Served | None) -> tuple[Standing, Former | None]:
    """A model that was trained before, and the champion beside it."""
    from models.assign import assign_clusters
    from models.challenge import face_champion
    from models.gate import Standing
    from models.profiles import profile_clusters

    standing = Standing(served.version, served.segmentation.silhouette, served.names)
    if champion is None:
        return standing, None
    profiles = profile_clusters(assign_clusters(features, served.model))
    former, _ = face_champion(features, served.model, profiles, champion, run.project.segments.clusters)
    return standing, former


def _decide(run: Run, tracking: Tracking, challenger: Standing, former: Former | None, rolled_back: str | None) -> dict[str, Any]:
    """Lets the gate judge, keeps what it said, and promotes the challenger where nothing and nobody stands against it."""
    from models.gate import judge
    from models.training_log import log_verdict

    verdict = judge(challenger, former, run.project.segments)
    log_verdict(tracking, challenger.version, verdict)
    objections = [*verdict.objections, *([rolled_back] if rolled_back else [])]
    said = [check.said for check in verdict.checks]
    if objections:
        notes = [f"Version {challenger.version} stays challenger:", *objections]
    elif _waits_for_a_person(run):
        notes = [f"Version {challenger.version} passed the gate and waits for `c360 promote-segments`.", *said]
    else:
        before = promote(tracking, challenger.version)
        notes = [f"Version {challenger.version} is champion{f', after version {before}' if before else ''}.", *said]
    is_promoted = not objections and not _waits_for_a_person(run)
    return {"promoted": is_promoted, "agreement": former.agreement if former else None, "notes": notes}


def _waits_for_a_person(run: Run) -> bool:
    return run.approve or run.project.segments.gate.approval == "person"


def _comparable_champion(run: Run, tracking: Tracking) -> Served | None:
    """The champion, where it measures customers as the configuration does now."""
    champion = load_champion(tracking, staging_folder(run))
    is_comparable = champion is not None and dict(champion.definitions) == run.project.segments.definitions
    return champion if is_comparable else None


def _beginning(training: Training, champion: Served | None) -> str:
    """The version from whose clusters a training may go on, '' for none: the champion, or, where that was trained on the very
    same data and configuration, the one from which it went on itself, so that a training repeated comes to the same model.
    """
    from models.training_log import BEGINNING, KEY

    if champion is None:
        return ""
    return champion.tags.get(BEGINNING, "") if champion.tags.get(KEY) == training.key else champion.version


def _model_to_begin_with(run: Run, tracking: Tracking, training: Training, champion: Served | None) -> PipelineModel | None:
    if not training.beginning:
        return None
    if champion is not None and champion.version == training.beginning:
        return champion.model
    return load_version(tracking, training.beginning, staging_folder(run)).model


def _counts(made: str, candidates: tuple[Candidate, ...], chosen: Candidate, segmentation: Segmentation) -> dict[str, Any]:
    names = segmentation.names
    return {
        "model_version": made,
        "chosen": chosen.label,
        "k": chosen.k,
        "silhouette": chosen.silhouette,
        "stability": chosen.stability,
        "candidates": {c.label: c.silhouette for c in candidates},
        "shortfalls": [*chosen.shortfalls, *segmentation.scores.shortfalls],
        "names_without_customers": list(names.names_without_customers),
        "segments": [
            {k: v for k, v in asdict(c).items() if k in ("name", "customers", "why", "history")} for c in names.clusters
        ],
    }


def _training(run: Run, data_version: int) -> Training:
    assert run.as_of is not None
    versions = {package: found for package in PACKAGES if (found := _version_of(package))}
    environment = {"python": platform.python_version(), "spark": run.spark.version, **versions}
    code, config = _version_of("lakehouse-c360") or "unknown", run.project.segments
    lake_id = lake_id_of(run.session_if_needed(), run.lake)
    return Training(
        lake_label(run.lake), lake_id, run.run_id, run.as_of, {RFM.name: data_version}, code, config, environment
    )  # fmt: skip


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


def _version_of(package: str) -> str | None:
    """None where it is run from a folder or a zip without metadata, or not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
