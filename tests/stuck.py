"""A test that does not come to an end tells where it is: every thread of it, and of the Java that it started."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

STUCK_AFTER = 1200
"""Seconds that no test takes, on a slow machine either: a bound for one that would otherwise wait for ever."""

LINES_A_THREAD = 30


@contextmanager
def told_when_stuck(name: str, seconds: float = STUCK_AFTER) -> Iterator[None]:
    """Ends the process with all its threads' stacks on standard error if the block does not end in time."""
    timer = Timer(seconds, _tell_and_end, (name,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell_and_end(name: str) -> None:
    print(f"\n{name} does not come to an end. It is here:", file=sys.stderr, flush=True)
    print(*java_stacks(os.getpid()), sep="\n\n", file=sys.stderr, flush=True)
    faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
    os._exit(1)


def java_stacks(parent: int) -> list[str]:
    """What the threads of the Java processes that ``parent`` started are at, but for threads that wait for work."""
    found = subprocess.run(["pgrep", "-P", str(parent), "java"], capture_output=True, text=True, check=False)
    threads = [thread for process in found.stdout.split() for thread in _jstack(process).split("\n\n")]
    return ["\n".join(one.splitlines()[:LINES_A_THREAD]) for one in threads if "org.apache.spark" in one or "deadlock" in one]


def _jstack(process: str) -> str:
    command = [str(Path(os.environ["JAVA_HOME"], "bin", "java")), "-m", "jdk.jcmd/sun.tools.jstack.JStack", process]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
