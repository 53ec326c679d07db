"""Promise 7: the same feed gives equal tables, wherever Spark runs and whatever the tables are called by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyspark.sql import SparkSession

from jobs.runtime.lake import Lake
from jobs.sample.write_sample import write_sample
from models.registry import load_champion
from models.tracking import Tracking
from setup import ENV_NAME, ROOT, ZIP_NAME, build_archives
from tests.journeys.lakes import SALT, Place, assert_same_contents, contents, contents_of, copy_of
from tests.journeys.servers import (
    Cluster,
    bare_python,
    connect_server,
    spark_environment,
    standalone_cluster,
    submit_command,
)

CATALOG = {"catalog": "spark_catalog", "schema_prefix": "ways_"}
SCHEMAS = ("bronze", "silver", "gold", "ops")


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("connect")
    with connect_server(folder) as address:
        yield address, folder / "warehouse"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What `make build` makes for a cluster: the zip, and the third-party packages (or those of C360_ENV_ARCHIVE)."""
    kept = os.environ.get("C360_ENV_ARCHIVE")
    folder = tmp_path_factory.mktemp("dist")
    build_archives(folder, with_env=not kept)
    return folder / ZIP_NAME, Path(kept) if kept else folder / ENV_NAME


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_python(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def cluster(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with standalone_cluster(tmp_path_factory.mktemp("cluster"), python) as running:
        yield running


@pytest.mark.cluster
@pytest.mark.compat
def test_a_connect_server_with_table_names_builds_and_trains_the_same_and_so_does_the_next_day(
    spark: SparkSession, built: Place, next_day: Place, remote: tuple[str, Path], tmp_path: Path
) -> None:
    address, warehouse = remote
    there = {"SPARK_REMOTE": address, "PYTHONPATH": str(ROOT)}
    place = copy_of(built, tmp_path / "named")
    tracking = _name_tables(place)
    call(c360("run", place, "names"), **there)
    assert_same_contents(contents_of(spark, built), _contents_by_name(spark, place, warehouse))
    assert_same_champion(place, tracking)
    write_sample(place.landing, 1)
    call(c360("run", place, "names"), **there)
    assert_same_contents(contents_of(spark, next_day), _contents_by_name(spark, place, warehouse))


FEED_BESIDE_TABLE = """
import json, sys
from jobs.runtime.lake import Lake, changed_rows, table_name, union
from jobs.runtime.session import get_session

spark = get_session()
spark.sql("CREATE SCHEMA spark_catalog.feeds_silver")
for lake in (Lake(sys.argv[1]), Lake(None, "spark_catalog", "feeds_")):
    name = table_name(lake, "silver.things")
    spark.sql(f"CREATE TABLE {name} (id BIGINT) USING delta TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    for number in range(3):
        spark.sql(f"INSERT INTO {name} VALUES ({number})")
    feed, table = changed_rows(spark, lake, "silver.things", 2, 3).select("id"), spark.table(name).select("id")
    for both in ([feed, table], [table, feed]):
        print(json.dumps(sorted(row["id"] for row in union(both).collect())))
"""
"""Ids of a table and of its last change, in either order, of a lake in a folder and of one in a catalogue: a line each."""


@pytest.mark.cluster
def test_over_connect_a_table_and_its_change_feed_in_one_query_are_two(remote: tuple[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", FEED_BESIDE_TABLE, str(tmp_path / "lake")]
    said = call(command, SPARK_REMOTE=remote[0], PYTHONPATH=str(ROOT))
    assert [json.loads(line) for line in said.splitlines()] == 4 * [[0, 1, 2, 2]]


@pytest.mark.cluster
def test_a_connect_session_reads_times_in_nanoseconds_too(remote: tuple[str, Path]) -> None:
    asked = "from jobs.runtime.session import NANOSECONDS_AS_NUMBERS, get_session"
    checked = "assert get_session().conf.get(NANOSECONDS_AS_NUMBERS) == 'true'"
    call([sys.executable, "-c", f"{asked}; {checked}"], SPARK_REMOTE=remote[0], PYTHONPATH=str(ROOT))


def _name_tables(place: Place) -> Tracking:
    """Declares an environment of the place whose lake is a catalogue, and which has a model store of its own."""
    settings = yaml.safe_load((place.conf / "env" / "test.yml").read_text())
    del settings["lake"]
    tracking = Tracking(f"sqlite:///{place.lake.parent}/own_mlflow/mlflow.db", "lakehouse-c360", "c360_segments")
    own = {**settings, **CATALOG, "landing": str(place.landing), "tracking_uri": tracking.tracking_uri}
    (place.conf / "env" / "names.yml").write_text(yaml.safe_dump(own))
    return tracking


def _contents_by_name(spark: SparkSession, place: Place, warehouse: Path) -> dict[str, list[str]]:
    """What the server's catalogue holds: its schemas are folders of the warehouse, which need no server to be read."""
    folder = place.lake.with_name("named")
    folder.mkdir(exist_ok=True)
    for schema in SCHEMAS:
        if not (folder / schema).is_symlink():
            (folder / schema).symlink_to(warehouse / f"{CATALOG['schema_prefix']}{schema}.db")
    return contents(spark, Lake(str(folder)), place.project())


def assert_same_champion(place: Place, tracking: Tracking) -> None:
    """Over Connect, with a model store of its own; what was logged there is read by classic Spark."""
    settings = yaml.safe_load((place.conf / "env" / "test.yml").read_text())
    stores = (replace(tracking, tracking_uri=settings["tracking_uri"]), tracking)
    champions = [load_champion(store, str(place.lake / "loaded")) for store in stores]
    trained, again = [champion.names.to_dict() for champion in champions if champion]
    assert again == trained
    centres = [champion.model.stages[-1].clusterCenters() for champion in champions if champion]
    assert np.array_equal(*centres)


@pytest.mark.cluster
def test_a_standalone_cluster_with_the_built_archives_and_a_bare_python_builds_the_same_lake(
    spark: SparkSession, built: Place, cluster: Cluster, archives: tuple[Path, Path], python: Path, tmp_path: Path
) -> None:
    place = replace(copy_of(built, tmp_path / "place"), lake=tmp_path / "lake")
    code, packages = archives
    with tarfile.open(packages) as archive:
        archive.extractall(tmp_path / "env", filter="data")
    command = submit_command(
        *("--master", cluster.url, "--py-files", str(code), "--archives", f"{packages}#env"),
        *(str(ROOT / "jobs" / "run_pipeline.py"), *where(place, scheme="file://")),  # as a lake in object storage is named
        settings={"spark.executorEnv.PYTHONPATH": "env", "spark.executor.cores": "1", "spark.executor.memory": "768m"},
    )
    call(command, PYSPARK_PYTHON=str(python), PYTHONPATH=str(tmp_path / "env"))
    assert [len(list(folder.glob("app-*/*/env/scipy"))) for folder in cluster.worker_folders] == [1, 1]
    assert_same_contents(contents_of(spark, built), contents_of(spark, place))


def c360(command: str, place: Place, environment: str = "test") -> list[str]:
    """A command of the suite, in a process of its own."""
    return [sys.executable, "-m", "jobs.cli", command, "--debug", *where(place, environment)]


def where(place: Place, environment: str = "test", scheme: str = "") -> list[str]:
    """The options that name a place; the lake of another environment is declared there."""
    named: dict[str, object] = {"--conf": place.conf, "--env": environment, "--landing": place.landing}
    named |= {"--lake": f"{scheme}{place.lake}"} if environment == "test" else {}
    return [str(part) for pair in named.items() for part in pair]


def call(command: list[str], **environment: str) -> str:
    """What a command says, which must succeed, in a folder from which nothing can be imported."""
    done = subprocess.run(
        command,
        env=spark_environment(C360_SALT=SALT, **environment),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout
