"""The main job: every stage in order, each with something to do running incrementally."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from threading import Thread

from conf.settings import parse_as_of
from jobs.assign_segments import assign_segments
from jobs.build_profiles import build_profiles, check_types
from jobs.ingest_sources import ingest_sources
from jobs.match_records import match_records
from jobs.predict_purchases import predict_purchases
from jobs.publish_customer_360 import publish_customer_360
from jobs.resolve_identities import resolve_identities
from jobs.runtime.scratch import clear_scratch
from jobs.runtime.stage import Outcome, Run
from jobs.score_rfm import score_rfm
from jobs.train_segments import tracking_of, train_segments
from models.record_matching import check_installed
from models.registry import champion_version, prepare_tracking
from models.tracking import Tracking

Job = Callable[[Run], list[Outcome]]

STAGES: dict[str, Job] = {
    "ingest-sources": ingest_sources,
    "match-records": match_records,
    "resolve-identities": resolve_identities,
    "build-profiles": build_profiles,
    "score-rfm": score_rfm,
    "train-segments": train_segments,
    "assign-segments": assign_segments,
    "publish-customer-360": publish_customer_360,
    "predict-purchases": predict_purchases,
}


def run_pipeline(run: Run, report: Callable[[str], None] = lambda stage: None) -> list[Outcome]:
    """Runs all stages; ``report`` hears the name of each as it starts."""
    outcomes: list[Outcome] = []
    tracking = tracking_of(run)  # where that is not declared it is said now, before anything is written
    check_installed(run.project.identity.matching)
    check_types(run)
    with _tidied(run, outcomes):
        for name in STAGES:
            report(name)
            outcomes += run_job(run, name)
            if name == "ingest-sources":
                _prepare_training(run, tracking)
    return outcomes


@contextmanager
def _tidied(run: Run, outcomes: list[Outcome]) -> Iterator[None]:
    """Removes afterwards what stages wrote down in between, for it may hold personal values; where none ran, nothing did."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the first error counts
            clear_scratch(run.session, run.lake)
        raise
    if any(outcome.ran for outcome in outcomes):
        clear_scratch(run.session, run.lake)


def _prepare_training(run: Run, tracking: Tracking) -> None:
    """MLflow takes seconds to import and to make its store: beside other stages, once there is something to train on."""
    if resolve_as_of(run) is not None:
        Thread(target=_warm_up, args=(tracking,), daemon=True).start()


def _warm_up(tracking: Tracking) -> None:
    with suppress(Exception):  # a server that is down is the business of the stages that need it
        if champion_version(tracking) is None:
            prepare_tracking(tracking)


def run_job(run: Run, name: str) -> list[Outcome]:
    """Runs one stage's job with its "now": taken from the settings or, by default, the latest event."""
    return STAGES[name](replace(run, as_of=resolve_as_of(run)))


def run_alone(run: Run, name: str) -> list[Outcome]:
    """Runs one stage's job as a process of its own, which tidies up after itself."""
    outcomes: list[Outcome] = []
    with _tidied(run, outcomes):
        outcomes += run_job(run, name)
    return outcomes


def resolve_as_of(run: Run) -> datetime | None:
    """The run's "now": fixed by the settings, the start of the run, or the latest event that ingest has seen."""
    setting = run.project.settings.as_of
    if setting == "run_time":  # of the run, not of this stage's process
        return run.log.as_of.get(run.run_id, run.started_at)
    if setting != "latest_event":
        return parse_as_of(setting)
    last = run.log.last_done("ingest-silver")
    latest = last.counts.get("latest_event") if last else None
    return datetime.fromisoformat(latest) if latest else None


if __name__ == "__main__":
    from jobs.cli import main

    exit_code = main(["run", *sys.argv[1:]])
    if exit_code:
        sys.exit(exit_code)
