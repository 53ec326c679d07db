"""Promise 2: a killed run, run again, ends like one that was never killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.conftest import REPOSITORY
from tests.journeys.lakes import SALT, Place, assert_same_contents, contents_of, make_place
from tests.journeys.servers import SHORT_LIVED_JAVA

PATIENCE = 600.0  # seconds; only a bound for a test that would otherwise wait for ever


def _commits(place: Place, table: str) -> int:
    return len(list((place.lake / table.replace(".", "/") / "_delta_log").glob("*.json")))


def _open_training(store: Path) -> bool:
    if not store.is_file():
        return False
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute("select count(*) from runs where status = 'RUNNING'").fetchone()[0] > 0
    finally:
        connection.close()


def _moments(place: Place) -> dict[str, Callable[[], bool]]:
    """Five moments, in the order in which a run comes to them; each is the middle of something."""
    store = place.conf.parent / "mlflow" / "mlflow.db"
    return {
        "some bronze tables are written and no file is noted": lambda: _commits(place, "bronze.crm") > 1,
        "events are in silver and the stage has not ended": lambda: _commits(place, "silver.events") > 1,
        "links are merged and identities are not": lambda: _commits(place, "silver.identity_links") > 1,
        "a training is open in MLflow": lambda: _open_training(store),
        "assignments are merged and nothing is published": lambda: _commits(place, "gold.segment_assignments") > 1,
    }


def _kill_at(place: Place, moment: Callable[[], bool]) -> None:
    """Starts a run in processes of its own and kills all of them, without a warning, when the moment has come."""
    where = ("--conf", place.conf, "--env", "test", "--lake", place.lake, "--landing", place.landing)
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "run", *map(str, where)],
        cwd=REPOSITORY,
        env={**os.environ, "C360_SALT": SALT, "JDK_JAVA_OPTIONS": SHORT_LIVED_JAVA},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE
    try:
        while not moment():
            assert process.poll() is None, "the run ended before the moment came"
            assert time.monotonic() < end, "the moment never came"
            time.sleep(0.02)
    finally:
        with suppress(ProcessLookupError):  # it has ended, which the assertion says
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def killed(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake whose first run was killed at each of the moments, one after the other, and then run to the end."""
    place = make_place(tmp_path_factory.mktemp("killed"), landing=built.landing)
    for moment in _moments(place).values():
        _kill_at(place, moment)
    assert place.run("run") == 0
    return place


def test_a_run_killed_at_five_moments_ends_like_one_that_was_never_killed(
    spark: SparkSession, built: Place, killed: Place
) -> None:
    assert_same_contents(contents_of(spark, built), contents_of(spark, killed))


def test_no_training_is_left_open(killed: Place) -> None:
    assert not _open_training(killed.conf.parent / "mlflow" / "mlflow.db")


def test_the_next_run_has_nothing_to_do(killed: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert [stage["stage"] for stage in killed.run_json(capsys, "run")["stages"] if stage["ran"]] == []
