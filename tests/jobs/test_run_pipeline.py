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
    project = load_project(lake=str(tmp_path / "lake"))
    settings = project.settings.model_copy(update={"as_of": "2017-11-26", "tracking_uri": "http://tracking.invalid"})
    now = datetime(2017, 11, 26, tzinfo=timezone.utc)
    run = Run(replace(project, settings=settings), open_lake(settings), "a run", now, RunLog(), lambda: pytest.fail("no session"))
    assert [outcome.stage for outcome in run_pipeline.run_pipeline(run)] == list(run_pipeline.STAGES)
    assert asked.wait(10)
