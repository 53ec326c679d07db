"""One run at a time writes to a lake on this machine, and a run that was killed is in nobody's way.

The lock is the operating system's (``flock``), on a file in the lake's folder: it ends with the process that holds it,
however that ends, so there is no lease to time out and nothing to clean up. What the file says is for people only. A lake
in object storage or in a catalogue has no such lock: there, the scheduler lets one run at a time begin (docs/adr/0011).
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from io import TextIOWrapper
from pathlib import Path

from conf.errors import LakeBusyError
from jobs.runtime.lake import Lake

LOCK_FILE = "_lock"
LOOKS_EVERY = 0.2  # seconds, while it waits


@contextmanager
def held_lake(lake: Lake, doing: str, wait: float = 0, report: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """The lake, with nobody else writing to it meanwhile; ``doing`` is what others are told who come in between.

    Waits up to ``wait`` seconds for the one that holds it. Raises LakeBusyError, which names it, where that was not enough.
    """
    root = lake.local_root
    file = None if root is None else _lock(root, wait, report)
    if root is None or file is None:
        yield
        return
    try:
        _write_holder(file, doing)
        yield
    finally:
        _release(root, file)


def _lock(root: Path, wait: float, report: Callable[[str], None]) -> TextIOWrapper | None:
    """The locked file; None where the folder's file system has no locks."""
    end = time.monotonic() + wait
    while True:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / LOCK_FILE).open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(file)
            file.close()
            if time.monotonic() >= end:
                raise LakeBusyError(
                    f"Another run is writing to the lake {root}: {holder}. Nothing was changed. Start again when it has "
                    "ended, or let this command wait for it: --wait SECONDS."
                ) from None
            report(f"waiting for {holder}")
            time.sleep(LOOKS_EVERY)
            continue
        except OSError as error:
            file.close()
            logging.getLogger(__name__).warning("the lake cannot be locked (%s): see that one run at a time writes", error)
            return None
        if _is_still_there(root, file):
            return file
        file.close()  # whoever held it has taken it away: what was locked is no longer the lake's


def _is_still_there(root: Path, file: TextIOWrapper) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), (root / LOCK_FILE).stat())
    except FileNotFoundError:
        return False


def _write_holder(file: TextIOWrapper, doing: str) -> None:
    since = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    file.truncate(0)
    json.dump({"doing": doing, "process": os.getpid(), "host": socket.gethostname(), "since": since}, file)
    file.flush()


def _holder(file: TextIOWrapper) -> str:
    file.seek(0)
    try:
        told = json.loads(file.read())
        return f"`c360 {told['doing']}`, process {told['process']} on {told['host']}, since {told['since']}"
    except (ValueError, KeyError):  # it has the lock, and has not written its name yet
        return "one that has just begun"


def _release(root: Path, file: TextIOWrapper) -> None:
    """Lets go. A folder that holds nothing but the lock was made for it: bad input leaves no lake behind."""
    with suppress(OSError):
        file.truncate(0)
        if [path.name for path in root.iterdir()] == [LOCK_FILE]:
            (root / LOCK_FILE).unlink()
            root.rmdir()
    file.close()
