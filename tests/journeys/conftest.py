"""The lake that most journeys begin with or compare with: built once, by the worker that needs it first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.sample.write_sample import write_sample
from tests.journeys.lakes import Place, copy_of, make_place, place_in

HOUSEHOLDS, DAYS = 60, 8


@pytest.fixture(scope="session")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake that was built from all days in one run, with the champion that it trained. To be read only."""

    def build(folder: Path) -> None:
        place = make_place(folder)
        write_sample(place.landing, DAYS, HOUSEHOLDS)
        assert place.run("run") == 0

    return place_in(_built_once(tmp_path_factory, "built", build))


@pytest.fixture(scope="session")
def next_day(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The same lake after one more day. To be read only."""

    def build(folder: Path) -> None:
        place = copy_of(built, folder)
        write_sample(place.landing, 1)
        assert place.run("run") == 0

    return place_in(_built_once(tmp_path_factory, "next-day", build))


def _built_once(tmp_path_factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A folder that all workers of this run share; one builds it, and others that come meanwhile wait."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        assert done.exists() or not folder.exists(), f"building {folder} failed before, for another test"
        if not done.exists():
            folder.mkdir()
            build(folder)
            done.touch()
    return folder
