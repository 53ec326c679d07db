"""Which process logs a run, and whether it still lives: a killed one cannot close its run itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

LOST_AFTER = timedelta(hours=24)
"""A run of another machine is taken for dead after this time: its process cannot be asked."""


def process_tags() -> dict[str, str]:
    """Tags that :func:`is_alive` reads: machine, process, and when that process began."""
    _, began = _state_and_start(os.getpid())
    return {"c360.machine": platform.node(), "c360.process": str(os.getpid()), "c360.process_started": began}


def is_alive(tags: Mapping[str, str], started_ms: int, now: datetime) -> bool:
    """Whether the process that put these tags on a run may still be at work; ``started_ms`` is when the run began."""
    if tags.get("c360.machine") != platform.node():
        return now.timestamp() - started_ms / 1000 < LOST_AFTER.total_seconds()
    pid = int(tags.get("c360.process", "0"))
    try:
        os.kill(pid, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    state, began = _state_and_start(pid)
    return state != "Z" and began == tags.get("c360.process_started", "")


def _state_and_start(pid: int) -> tuple[str, str]:
    """A process's state (Z: dead, not yet buried) and what tells it from a later one of its number; '' if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]
