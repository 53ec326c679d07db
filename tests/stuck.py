"""Hooks of pytest: a test that does not come to an end tells where it is, every thread of it and of the Java it started."""

from __future__ import annotations

import faulthandler
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from threading import Timer

import pytest

STUCK_AFTER = 1200
"""Seconds that no test takes, on a slow machine either: a bound for one that would otherwise wait for ever."""

LINES_A_THREAD = 30


_STANDARD_ERROR = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the way to standard error: while a test runs, what is written there is captured, and lost with the process."""
    config.stash[_STANDARD_ERROR] = os.dup(2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Ends the process of a test that does not end in time; the stacks of all its threads come first."""
    timer = Timer(STUCK_AFTER, _tell_and_end, (item.nodeid, item.config.stash[_STANDARD_ERROR]))
    timer.daemon = True
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()


def _tell_and_end(name: str, descriptor: int) -> None:
    try:
        with os.fdopen(descriptor, "w") as told:
            print(f"\n{name} does not come to an end. It is here:", file=told, flush=True)
            faulthandler.dump_traceback(told, all_threads=True)
            print(*java_stacks(os.getpid()), sep="\n\n", file=told, flush=True)
    finally:  # also where Java does not answer
        os._exit(1)


def java_stacks(parent: int) -> list[str]:
    """What the threads of the Java processes that ``parent`` started are at, but for threads that wait for work."""
    found = subprocess.run(["pgrep", "-P", str(parent), "java"], capture_output=True, text=True, check=False)
    threads = [thread for process in found.stdout.split() for thread in _jstack(process).split("\n\n")]
    return ["\n".join(one.splitlines()[:LINES_A_THREAD]) for one in threads if "org.apache.spark" in one or "deadlock" in one]


def _jstack(process: str) -> str:
    command = [str(Path(os.environ["JAVA_HOME"], "bin", "java")), "-m", "jdk.jcmd/sun.tools.jstack.JStack", process]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
