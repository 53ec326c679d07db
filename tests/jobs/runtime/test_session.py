"""A local session that does not come about, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.runtime.java import delta_jars, provide_java
from tests.conftest import REPOSITORY

JAVA = "#!/bin/sh\necho 'Could not reserve enough space for the heap' >&2\nexit 1\n"
ELSEWHERE = ("SPARK_REMOTE", "PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION")


@pytest.fixture(scope="module", autouse=True)
def jars() -> None:
    """The first call on a machine fetches them, for which it takes a Java that works."""
    provide_java()
    delta_jars()


def refused(temporary: Path, **environment: str) -> str:
    """What a process says that asks for a session and gets none; it must leave no file behind."""
    temporary.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    done = subprocess.run(
        [sys.executable, "-c", "from jobs.runtime.session import get_session; get_session()"],
        cwd=REPOSITORY,
        env={**kept, "TMPDIR": str(temporary), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(temporary.iterdir()) == []
    return done.stderr.splitlines()[-1]


def test_a_java_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(JAVA)
    java.chmod(0o755)
    said = refused(tmp_path / "temporary", JAVA_HOME=str(tmp_path))
    assert "Spark did not start" in said
    assert "Could not reserve enough space for the heap" in said


def test_settings_that_spark_refuses_are_told_with_its_reason(tmp_path: Path) -> None:
    said = refused(tmp_path / "temporary", C360_MASTER="local[0]")
    assert "Spark did not start" in said
    assert "Asked to run locally with 0 threads" in said
