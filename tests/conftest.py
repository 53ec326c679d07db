"""One session for all tests that need Spark, made at first use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.journeys.servers import UNCOMPILED

pytest_plugins = ["tests.stuck"]  # no test waits for ever

REPOSITORY = Path(__file__).parents[1]
LATER_OPTIMISED = (
    "-XX:Tier4InvocationThreshold=25000 -XX:Tier4MinInvocationThreshold=3000 "
    "-XX:Tier4CompileThreshold=75000 -XX:Tier4BackEdgeThreshold=200000"
)
"""Five times the calls until the JVM's second compiler takes a method: it would be busy for a tenth of the suite's time."""


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The suite's own local session: the tests run on what the jobs run on."""
    os.environ.setdefault("C360_MASTER", "local[2]")
    # So does planning it anew after each shuffle, as jobs do: the journeys on a cluster and on Connect, a next day included, do.
    # A task costs more than what it does with some rows, and two partitions show whatever depends on partitions. What the JVM
    # compiles well for the hours that a job may take, it compiles here for minutes.
    settings = {
        **UNCOMPILED,
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.driver.memory": "4g",
        "spark.driver.defaultJavaOptions": LATER_OPTIMISED,
    }
    os.environ.setdefault("C360_SPARK_CONF", ",".join(f"{name}={value}" for name, value in settings.items()))
    from jobs.runtime.session import get_session

    session = get_session()
    yield session
    session.stop()
    get_session.cache_clear()


@pytest.fixture(scope="module")
def compiling(spark: SparkSession) -> Iterator[SparkSession]:
    """The same session, which compiles its queries: for a test of some hundred thousand rows."""
    settings = {
        "spark.sql.codegen.wholeStage": "true",
        "spark.sql.codegen.factoryMode": "FALLBACK",
        "spark.sql.adaptive.enabled": "true",
    }
    before = {name: spark.conf.get(name) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in before.items():
        spark.conf.set(name, value or "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys first: two workers that begin with what takes minutes end at about the same time."""
    items.sort(key=lambda item: "journeys" not in item.path.parts)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared real data; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("C360_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("the shared data are not beside this checkout")
    return folder
