"""The only place that makes a SparkSession; nothing happens at import."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from conf.errors import C360Error

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A small machine: few partitions, no UI.
LOCAL_CONFIGURATION = {
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "4",
    # What is shuffled comes in so many parts at first, and small ones are put together: the parts of much data fit into memory.
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "16",
    "spark.databricks.delta.snapshotPartitions": "2",  # Delta reads its log with 50 otherwise
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",  # a job to list files costs more than listing
    "spark.sql.files.openCostInBytes": "262144",  # many small files a day: pack more of them into a task
    "spark.buffer.pageSize": "4m",  # every sort and hash table begins with a page, of 64 MB by default
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.ui.retainedExecutions": "10",
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.ui.retainedTasks": "500",
}
# Room for the classes and the compiled code of a run: what is there by default is full again and again, and emptied by a
# collection of the whole heap.
LOCAL_JAVA_OPTIONS = "-XX:+UseParallelGC -Xss4m -XX:MetaspaceSize=256m -XX:ReservedCodeCacheSize=512m"

DELTA_CONFIGURATION = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

# Set on every session, wherever it comes from; each can be set at run time.
SESSION_CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
}
# Times in nanoseconds, as pandas writes them, come as their number; a mapping turns it into a time.
NANOSECONDS_AS_NUMBERS = "spark.sql.legacy.parquet.nanosAsLong"


@cache
def get_session(name: str = "lakehouse-c360") -> SparkSession:
    """The session of this process: the Databricks runtime's, the Connect server's (``SPARK_REMOTE``), the submitted one
    (``spark-submit``), or else a local one with Delta.
    """
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from pyspark.sql.utils import is_remote

    builder = SparkSession.builder.appName(name)
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        spark = builder.getOrCreate()
    elif os.environ.get("SPARK_REMOTE"):
        spark = builder.getOrCreate()
        # Ahead of what the client itself does at exit: that can wait for ever for threads that have ended by then.
        atexit.register(spark.stop)
        _ship_packages(spark)
    elif "PYSPARK_GATEWAY_PORT" in os.environ:  # spark-submit started this process; its own settings win
        for key, value in DELTA_CONFIGURATION.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
    else:
        spark = _local_session(builder)
    for key, value in SESSION_CONFIGURATION.items():
        spark.conf.set(key, value)
    with suppress(PySparkException):  # serverless compute sets few options: there a file with such times is refused
        spark.conf.set(NANOSECONDS_AS_NUMBERS, "true")
    if is_remote():
        # A model that the collector finds is deleted on the server there and then. In the middle of another call of the same
        # thread the two wait for each other for ever (SPARK-57655), so the collector runs between stages.
        gc.disable()
    # It prints what could not be computed together with the value, and values may be personal.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    return spark


def collect_leftovers() -> None:
    """Frees what a stage left, where the collector does not run by itself (on Spark Connect); no call may be under way."""
    if not gc.isenabled():
        gc.collect()


def _local_session(builder: SparkSession.Builder) -> SparkSession:
    from jobs.runtime.java import delta_jars, log_configuration, provide_java

    provide_java()
    # Python workers are processes of their own: they run this Python and find this code, installed or not.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_code_root()), os.environ.get("PYTHONPATH"))))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    jars = ":".join(str(jar) for jar in delta_jars())
    options = f"{LOCAL_JAVA_OPTIONS} -Dlog4j2.configurationFile=file:{log_configuration()}"
    builder = builder.master(os.environ.get("C360_MASTER", "local[*]"))
    builder = builder.config("spark.driver.extraClassPath", jars).config("spark.driver.extraJavaOptions", options)
    builder = builder.config("spark.sql.warehouse.dir", os.environ.get("C360_WAREHOUSE") or _own_warehouse())
    for key, value in {**LOCAL_CONFIGURATION, **DELTA_CONFIGURATION}.items():
        builder = builder.config(key, value)
    for setting in filter(None, os.environ.get("C360_SPARK_CONF", "").split(",")):  # key=value,key=value
        builder = builder.config(*setting.split("=", 1))
    with _java_messages_in_a_file() as log:
        try:
            return builder.getOrCreate()
        except Exception as error:
            said = getattr(error, "java_exception", None) or _last_lines(log)  # what Java throws, or said before it ended
            raise C360Error(f"Spark did not start ({type(error).__name__}). Java said: {said}") from error


def _own_warehouse() -> str:
    """Spark's own catalogue is a folder of this process. A lake on a path never uses it: what is empty goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="c360-warehouse-"))

    def remove() -> None:
        with suppress(OSError):  # it holds tables
            folder.rmdir()

    atexit.register(remove)
    return str(folder)


@contextmanager
def _java_messages_in_a_file() -> Iterator[Path]:
    """The JVM started meanwhile writes its messages to a file: the console is for people, and standard output for what a
    command prints (VACUUM has its own lines there). What goes wrong in Spark reaches them as an error of Python's.

    The file has no name any more once the JVM runs, and ends with it: Spark logs a value that does not read as its type.
    """
    descriptor, name = tempfile.mkstemp(prefix="c360-java-", suffix=".log")
    sys.stdout.flush()
    sys.stderr.flush()
    consoles = {stream: os.dup(stream) for stream in (1, 2)}
    for stream in consoles:
        os.dup2(descriptor, stream)
    try:
        yield Path(name)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, console in consoles.items():
            os.dup2(console, stream)
            os.close(console)
        os.close(descriptor)
        Path(name).unlink()


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "nothing"


def _code_root() -> Path:
    return Path(__file__).parents[2]


def _ship_packages(spark: SparkSession) -> None:
    """Sends this code to the server, whose Python workers run the functions that are not SQL."""
    root = _code_root()
    if root.is_file():  # the code runs from a zip already
        spark.addArtifacts(str(root), pyfile=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "lakehouse_c360.zip"
        with zipfile.ZipFile(archive, "w") as target:
            for package in ("conf", "transforms", "models", "jobs"):
                for path in sorted((root / package).rglob("*.py")):
                    target.write(path, path.relative_to(root))
        spark.addArtifacts(str(archive), pyfile=True)
