"""What ``make run`` calls, with everything installed and ``c360`` said instead of done."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jobs.sample.landing import SampleState, write_state

BOTH, ONLY_RUN = ["c360 sample", "c360 run"], ["c360 run"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("landing", "calls"),
    [(None, BOTH), ([], BOTH), ([0], BOTH), ([1], ONLY_RUN), ([330], ONLY_RUN), (["orders.csv"], ONLY_RUN)],
    ids=["no folder", "empty", "interrupted", "one day", "whole", "somebody's own files"],
)
def test_the_sample_is_written_where_there_is_none_and_completed_where_it_was_interrupted(
    landing: list[int | str] | None, calls: list[str], tmp_path: Path
) -> None:
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        shutil.copy2(Path(__file__).parents[1] / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("bin/python", ".run"):
        (tmp_path / ".venv" / name).touch()
    if landing is not None:
        (tmp_path / "landing").mkdir()
    for held in landing or []:
        if isinstance(held, int):
            write_state(tmp_path / "landing", SampleState(held, None, 2017))
        else:
            (tmp_path / "landing" / held).touch()
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = ["make", "run", "C360=echo c360"]
    said = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == calls
