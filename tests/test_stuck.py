from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.conftest import REPOSITORY
from tests.stuck import java_stacks

HOOKS = """
import tests.stuck
from tests.stuck import pytest_configure, pytest_runtest_protocol
tests.stuck.STUCK_AFTER = 1
"""
JAVA_IS_SILENT = """
def raises(parent):
    raise TimeoutError
tests.stuck.java_stacks = raises
"""
TESTS = """
import time

def test_that_waits():
    time.sleep(3600)

def test_that_ends():
    pass
"""


def run(folder: Path, hooks: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(hooks)
    (folder / "test_of_two.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--rootdir", str(folder), "-c", "/dev/null", str(folder), *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("hooks", [HOOKS, HOOKS + JAVA_IS_SILENT], ids=["", "though Java does not answer"])
def test_a_test_that_does_not_come_to_an_end_is_ended_and_tells_where_it_is(hooks: str, tmp_path: Path) -> None:
    ended = run(tmp_path, hooks)
    assert ended.returncode == 1
    assert "test_of_two.py::test_that_waits does not come to an end" in ended.stderr
    assert "in test_that_waits" in ended.stderr


def test_beside_other_workers_it_fails_alone(tmp_path: Path) -> None:
    ended = run(tmp_path, HOOKS, "-n", "2")
    assert "test_of_two.py::test_that_waits does not come to an end" in ended.stderr
    assert "1 failed, 1 passed" in ended.stdout


def test_the_threads_of_java_are_told_too(spark: SparkSession) -> None:
    assert spark.range(1).count() == 1
    assert any("org.apache.spark" in stacks for stacks in java_stacks(os.getpid()))
