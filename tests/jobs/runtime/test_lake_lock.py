"""One run at a time on a lake: with real processes, since the lock is the operating system's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from conf.errors import LakeBusyError
from jobs.runtime.lake import Lake
from jobs.runtime.lake_lock import held_lake
from tests.conftest import REPOSITORY

PATIENCE = 60  # seconds; only a bound for a test that would otherwise wait for ever
HOLDER = """
import sys
from jobs.runtime.lake import Lake
from jobs.runtime.lake_lock import held_lake
with held_lake(Lake(sys.argv[1]), "run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lake until its input ends, or it is killed."""
    command = [sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "gold").mkdir()
    return Lake(str(tmp_path))


def test_the_second_of_two_runs_is_told_who_writes(lake: Lake, tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        told = rf"Another run is writing to the lake {tmp_path}: `c360 run`, process {process.pid} on .*, since .* UTC\."
        with pytest.raises(LakeBusyError, match=told), held_lake(lake, "run"):
            pytest.fail("both hold it")


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize("end", [let_go, lambda process: os.kill(process.pid, signal.SIGKILL)], ids=["ends", "is killed"])
def test_a_run_that_waits_begins_when_the_other(lake: Lake, tmp_path: Path, end: Callable[[subprocess.Popen[str]], None]) -> None:
    said: list[str] = []
    with another_process(tmp_path) as process:
        Timer(0.5, end, [process]).start()
        with held_lake(lake, "run", PATIENCE, said.append):
            assert process.poll() is not None or process.wait(PATIENCE) is not None
    assert said[0].startswith(f"waiting for `c360 run`, process {process.pid} on ")


def test_a_run_that_was_killed_is_in_nobodys_way(lake: Lake, tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.kill()
        process.wait(PATIENCE)
        with held_lake(lake, "run"):
            pass


def test_a_folder_that_was_made_for_the_lock_goes_with_it(tmp_path: Path) -> None:
    root = tmp_path / "new" / "lake"
    with held_lake(Lake(str(root)), "run"):
        assert root.is_dir()
    assert not root.exists()


def test_one_who_waits_for_a_folder_that_goes_gets_a_lock_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    with another_process(root) as process:
        Timer(0.5, let_go, [process]).start()
        with held_lake(Lake(str(root)), "run", PATIENCE), pytest.raises(LakeBusyError), held_lake(Lake(str(root)), "run"):
            pytest.fail("both hold it")


@pytest.mark.parametrize("lake", [Lake("s3://bucket/lake"), Lake(None, "prod")], ids=["object storage", "catalogue"])
def test_elsewhere_it_is_the_scheduler_that_lets_one_run_begin(lake: Lake) -> None:
    with held_lake(lake, "run"), held_lake(lake, "run"):
        pass


def test_a_file_system_without_locks_is_told_and_used(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with held_lake(lake, "run"):
        assert "one run at a time" in caplog.text
