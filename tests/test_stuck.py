from __future__ import annotations

import os
import subprocess
import sys

from pyspark.sql import SparkSession

from tests.conftest import REPOSITORY
from tests.stuck import java_stacks

WAITS = "import time; from tests.stuck import told_when_stuck\nwith told_when_stuck('a test', {}):\n    time.sleep({})"


def run(patience: float, sleeps: float) -> subprocess.CompletedProcess[str]:
    script = WAITS.format(patience, sleeps)
    return subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def test_a_test_that_does_not_come_to_an_end_is_ended_and_tells_where_it_is() -> None:
    ended = run(0.1, 3600)
    assert ended.returncode == 1
    assert "a test does not come to an end" in ended.stderr
    assert '"<string>", line 3 in <module>' in ended.stderr


def test_one_that_ends_is_left_alone() -> None:
    ended = run(3600, 0)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_threads_of_java_are_told_too(spark: SparkSession) -> None:
    assert spark.range(1).count() == 1
    assert any("org.apache.spark" in stacks for stacks in java_stacks(os.getpid()))
