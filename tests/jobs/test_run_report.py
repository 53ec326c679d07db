"""The report of a run whose "now" is before the last assignment: the segments as they stand, and of which day that is."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from conf.project import load_project
from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS
from jobs.cli import _report
from jobs.runtime.lake import append_to_files, open_lake
from jobs.runtime.run_log import RunLog, StageRecord
from jobs.runtime.stage import Run
from tests.jobs.lookup.few_rows import row

ASSIGNED = datetime(2017, 11, 26, 23, 59, tzinfo=timezone.utc)


def reported(folder: Path, as_of: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a run as of that day says of a lake with one customer, whose last purchase was two days before the assignment."""
    project = load_project(lake=str(folder))
    settings = project.settings.model_copy(update={"as_of": as_of})
    bought = {"last_purchase_at": datetime(2017, 11, 24, tzinfo=timezone.utc), "frequency": 3, "revenue": Decimal(9)}
    append_to_files(str(folder / "gold" / "rfm"), RFM, [row(RFM, profile_id="ana", **bought)])
    held = row(SEGMENT_ASSIGNMENTS, profile_id="ana", segment="Loyal", is_current=True)
    append_to_files(str(folder / "gold" / "segment_assignments"), SEGMENT_ASSIGNMENTS, [held])
    done = StageRecord("before", "assign-segments", "done", "first build", ASSIGNED, "", {}, {}, {}, ASSIGNED, 1.0)
    log = RunLog({"assign-segments": done})
    run = Run(replace(project, settings=settings), open_lake(settings), "now", ASSIGNED, log, pytest.fail)
    _report(Namespace(json=False), run, [])
    return capsys.readouterr().out


def test_an_earlier_as_of_shows_the_segments_of_the_last_assignment_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = reported(tmp_path, "2017-06-30", capsys)
    assert "Segments as of 2017-11-26 23:59 UTC" in said
    assert "That is the last assignment; what was assigned before: c360 segments --to 2017-06-30\n" in said
    assert [line.split() for line in said.splitlines() if line.startswith("Loyal")] == [
        ["Loyal", "1", "2.0", "3.0", "9.0", "100.0"]
    ]


def test_a_later_as_of_shows_the_segments_as_of_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = reported(tmp_path, "2017-12-01", capsys)
    assert "Segments as of 2017-12-01" in said
    assert "last assignment" not in said
