"""The order of stages, and what of their surroundings may fail without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from conf.project import load_project
from jobs import run_pipeline
from jobs.runtime.lake import open_lake
from jobs.runtime.run_log import RunLog
from jobs.runtime.stage import Outcome, Run


def test_a_tracking_server_that_is_down_stops_no_stage_that_does_not_ask_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Event()

    def be_down(_: Any) -> None:
        asked.set()
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(run_pipeline, "champion_version", be_down)
    monkeypatch.setattr(run_pipeline, "check_types", lambda run: None)
    monkeypatch.setattr(
        run_pipeline, "STAGES", {name: lambda run, name=name: [Outcome(name, False, "", 0.0, {})] for name in run_pipeline.STAGES}
    )
    run = a_run(tmp_path, tracking_uri="http://tracking.invalid")
    assert [outcome.stage for outcome in run_pipeline.run_pipeline(run)] == list(run_pipeline.STAGES)
    assert asked.wait(10)


def a_run(folder: Path, **settings: Any) -> Run:
    project = load_project(lake=str(folder / "lake"))
    chosen = project.settings.model_copy(update={"as_of": "2017-11-26", **settings})
    now = datetime(2017, 11, 26, tzinfo=timezone.utc)
    return Run(replace(project, settings=chosen), open_lake(chosen), "a run", now, RunLog(), lambda: pytest.fail("no session"))


def test_what_a_stage_wrote_down_in_between_does_not_outlive_its_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    people = tmp_path / "lake" / "_scratch" / "people"

    def fail(_: Run) -> list[Outcome]:
        people.mkdir(parents=True)
        raise ConnectionError("half way")

    monkeypatch.setattr(run_pipeline, "STAGES", {"match-records": fail})
    with pytest.raises(ConnectionError, match="half way"):
        run_pipeline.run_alone(a_run(tmp_path), "match-records")
    assert not people.parent.exists()
