"""Two runs at once on one lake: one works, the other waits or is sent away, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.tables.declared import declared_tables
from conf.tables.silver import EVENTS, QUARANTINE, RECORDS
from jobs.runtime.lake import open_lake, table_name
from tests.conftest import REPOSITORY
from tests.journeys.lakes import SALT, Place, make_place, rows_of
from tests.journeys.servers import SHORT_LIVED_JAVA

PATIENCE = 600  # seconds; only a bound for a test that would otherwise wait for ever


def start(place: Place, *arguments: str) -> subprocess.Popen[str]:
    where = ("--conf", place.conf, "--env", "test", "--lake", place.lake, "--landing", place.landing)
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "ingest-sources", *arguments, *map(str, where)],
        cwd=REPOSITORY,
        env={**os.environ, "C360_SALT": SALT, "JDK_JAVA_OPTIONS": SHORT_LIVED_JAVA, "TMPDIR": str(temporary(place))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def temporary(place: Place) -> Path:
    """Where the processes put what they need for a while."""
    folder = place.lake.parent / "temporary"
    folder.mkdir(exist_ok=True)
    return folder


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, error = process.communicate(timeout=PATIENCE)
    return process.returncode, error


def in_silver(spark: SparkSession, place: Place) -> dict[str, list[str]]:
    lake = open_lake(place.project().settings)
    return {table.name: rows_of(spark, lake, table) for table in (EVENTS, RECORDS, QUARANTINE)}


@pytest.fixture(scope="module")
def place(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("two"), landing=built.landing)


def test_one_works_one_waits_one_is_sent_away_and_nothing_is_lost(spark: SparkSession, built: Place, place: Place) -> None:
    waiting = [start(place, "--wait", str(PATIENCE)) for _ in range(2)]
    while not (place.lake / "_lock").exists():
        assert all(process.poll() is None for process in waiting)
    sent_away = ended(start(place))
    assert [ended(process) for process in waiting] == [(0, ""), (0, "")]
    assert sent_away[0] == 1
    assert sent_away[1].startswith(f"c360: Another run is writing to the lake {place.lake}: `c360 ingest-sources`, process ")
    assert in_silver(spark, place) == in_silver(spark, built)


def test_a_process_leaves_nothing_behind_but_the_lake(place: Place) -> None:
    assert list(temporary(place).iterdir()) == []


def test_the_one_that_waited_found_nothing_left_to_do(spark: SparkSession, place: Place) -> None:
    lake = open_lake(place.project().settings)
    runs = spark.table(table_name(lake, "ops.runs")).select("stage", "outcome").collect()
    assert sorted(tuple(row) for row in runs) == [("ingest-bronze", "done"), ("ingest-silver", "done")]


def test_upkeep_changes_no_row_and_leaves_nothing_to_do(
    spark: SparkSession, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    before = in_silver(spark, place)
    tidied = place.run_json(capsys, "maintain")
    assert {"bronze.pos", "silver.events", "ops.runs"} <= {line["table"] for line in tidied}
    assert in_silver(spark, place) == before
    stages = place.run_json(capsys, "ingest-sources")["stages"]
    assert [stage["stage"] for stage in stages if stage["ran"]] == []


def test_tables_and_columns_carry_the_comments_of_their_contracts(place: Place) -> None:
    tables = [table for table in declared_tables(place.project()) if (place.lake / table.name.replace(".", "/")).is_dir()]
    assert len(tables) > 7
    for table in tables:
        held = DeltaTable(str(place.lake / table.name.replace(".", "/")))
        comments = {field.name: field.metadata.get("comment") for field in held.schema().fields}
        assert held.metadata().description == table.comment
        assert {column.name: column.comment for column in table.columns}.items() <= comments.items(), table.name
