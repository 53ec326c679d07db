"""What contenders that run in a process of their own share: the session that is compared, and their seconds by part."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Contender

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CORES = 2
DRIVER_MEMORY = "4g"

_SECONDS: dict[str, float] = {}


def local_session() -> SparkSession:
    """The suite's own session with the cores and the memory that are compared."""
    os.environ["C360_MASTER"] = f"local[{CORES}]"
    os.environ["C360_SPARK_CONF"] = f"spark.driver.memory={DRIVER_MEMORY}"
    from jobs.runtime.session import get_session

    return get_session()


@contextmanager
def part(name: str) -> Iterator[None]:
    """Its body's seconds are reported under this name."""
    clock = time.perf_counter()
    yield
    _SECONDS[name] = round(time.perf_counter() - clock, 3)


def contender(module: str, name: str, data: Path, result: Callable[[Path], Any]) -> Contender:
    """The contender that :func:`run` runs in a module of benchmarks, over a folder of data."""

    def command(folder: Path) -> list[str]:
        return [sys.executable, "-m", module, name, str(data), str(folder)]

    return Contender(name, command, result, lambda printed: dict(json.loads(printed)))


def run(runners: Mapping[str, Callable[[Path, Path], None]]) -> None:
    """Runs the contender that the command line names, with its data and its target folder, and prints its seconds."""
    name, data, target = sys.argv[1:]
    runners[name](Path(data), Path(target))
    sys.stdout.write(json.dumps(_SECONDS) + "\n")
