"""Servers in processes of their own on loopback: Spark Connect, a standalone cluster with two workers, and MLflow.

Each is started by pyspark's own scripts, has a folder with its log, and ends with the ``with`` block that started it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark

from jobs.runtime.java import delta_jars, log_configuration, provide_java
from jobs.runtime.session import DELTA_CONFIGURATION, LOCAL_CONFIGURATION

SPARK_HOME = Path(pyspark.__file__).parent
LOOPBACK = "127.0.0.1"
START_SECONDS = 120
WORKERS = 2
SHORT_LIVED_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
"""For processes that live a minute: code that is compiled well is ready when they end. A run fills the 48 MB of code
that go with such a compiler by default, and Spark stops."""
SMALL_JAVA = f"{SHORT_LIVED_JAVA} -XX:+UseSerialGC"
UNCOMPILED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
"""Compiling a query takes longer than running it on some hundred rows; the journey on a cluster compiles."""
PYTHONS = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "SPARK_REMOTE", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", *PYTHONS)


@dataclass(frozen=True)
class Cluster:
    """A running standalone cluster: the master's URL, and the folder in which each worker runs its executors."""

    url: str
    worker_folders: tuple[Path, ...]


def bare_python(folder: Path) -> Path:
    """A Python that has nothing installed, neither the suite nor what it needs."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def installed_packages() -> str:
    """This environment's packages as a search path: on it, a package that is installed as a link to sources is not."""
    return os.pathsep.join(dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib")))


def spark_environment(**changes: str) -> dict[str, str]:
    """The environment of a Spark process: Java as the suite provides it, and nothing that leads back to this one."""
    provide_java()
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    own = {"SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": LOOPBACK, "JDK_JAVA_OPTIONS": SMALL_JAVA}
    return {**kept, **own, **changes}


def submit_command(*options: str, settings: Mapping[str, str] | None = None) -> list[str]:
    """``spark-submit`` with Delta and the settings of a small machine, before ``options``."""
    quiet = f"-Dlog4j2.configurationFile=file:{log_configuration()}"
    java = {"spark.driver.extraJavaOptions": quiet, "spark.executor.extraJavaOptions": quiet}
    chosen = {**LOCAL_CONFIGURATION, **DELTA_CONFIGURATION, **java, **(settings or {})}
    stated = [part for name, value in chosen.items() for part in ("--conf", f"{name}={value}")]
    jars = ",".join(str(jar) for jar in delta_jars())
    return [str(SPARK_HOME / "bin" / "spark-submit"), "--jars", jars, *stated, *options]


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """A Spark Connect server with Delta; yields its address. Its Python workers find what is installed, and no code of
    the suite but what a client sends."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    python = bare_python(folder / "python")
    bound = {
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        **UNCOMPILED,
    }
    server = ("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal")
    command = submit_command("--master", "local[2]", *server, settings=bound)
    environment = spark_environment(PYSPARK_PYTHON=str(python), PYTHONPATH=installed_packages())
    with _running(command, environment, folder, "connect") as process:
        _wait_for_port(port, process, folder / "connect.log")
        yield f"sc://{LOOPBACK}:{port}"


@contextmanager
def standalone_cluster(folder: Path, python: Path) -> Iterator[Cluster]:
    """A master and two workers of one core each, whose Python is ``python``."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    spark_class = str(SPARK_HOME / "bin" / "spark-class")
    bound = ("--host", LOOPBACK, "--webui-port", "0")
    environment = spark_environment(PYSPARK_PYTHON=str(python))
    cluster = Cluster(f"spark://{LOOPBACK}:{port}", tuple(folder / f"worker-{n}" for n in range(WORKERS)))
    with ExitStack() as started:
        master = [spark_class, "org.apache.spark.deploy.master.Master", *bound, "--port", str(port)]
        process = started.enter_context(_running(master, environment, folder, "master"))
        _wait_for_port(port, process, folder / "master.log")
        for work in cluster.worker_folders:
            size = ("--cores", "1", "--memory", "1g", "--work-dir", str(work))
            worker = [spark_class, "org.apache.spark.deploy.worker.Worker", *bound, *size, cluster.url]
            process = started.enter_context(_running(worker, environment, folder, work.name))
            _wait_for_text("Successfully registered with master", process, folder / f"{work.name}.log")
        yield cluster


@contextmanager
def tracking_server(folder: Path) -> Iterator[str]:
    """An MLflow server with its own store, which takes and gives artifacts itself; yields its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    where = ("--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "artifacts"))
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1", *where]
    with _running(command, {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}, folder, "mlflow") as process:
        _wait_for_port(port, process, folder / "mlflow.log")
        yield f"http://{LOOPBACK}:{port}"


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], environment: dict[str, str], folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all that it starts; its output goes to ``<name>.log``."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process group: first asked, so that Spark removes its temporary files, then forced."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, port)) == 0

    _wait(answers, process, log)


def _wait_for_text(text: str, process: subprocess.Popen[bytes], log: Path) -> None:
    _wait(lambda: text in log.read_text(errors="replace"), process, log)


def _wait(is_there: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once ``is_there()``; fails with the log's end where the process has ended or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_there():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{log.stem} did not start; its log ends:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)
