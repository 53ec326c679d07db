"""The landing folder: what was delivered into it, and files that appear whole and never change afterwards."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from conf.errors import BadInputError

STATE = ".sample.json"


@dataclass(frozen=True)
class SampleState:
    """What a landing folder holds: the first ``delivered`` days of so many households (None: all), from this seed."""

    delivered: int
    households: int | None
    seed: int


def read_state(landing: Path) -> SampleState | None:
    """The state of a landing folder, None where no sample was written. Raises BadInputError if it cannot be read."""
    path = landing / STATE
    if not path.exists():
        return None
    try:
        return SampleState(**json.loads(path.read_text()))
    except (ValueError, TypeError):
        raise BadInputError(
            f"{path} does not say which days were delivered. Remove the folder {landing} and write the sample anew."
        ) from None


def write_state(landing: Path, state: SampleState) -> None:
    """Replaces the state, as the last step of a delivery."""
    replace_file(landing / STATE, json.dumps(asdict(state)).encode())


def deliver_file(path: Path, content: bytes) -> None:
    """Puts a file in place, whole. One that is there already stays: a delivered file never changes."""
    if not path.exists():
        replace_file(path, content)


def replace_file(path: Path, content: bytes) -> None:
    """Writes beside the target, then renames: a reader sees the old file or the new one, never a half."""
    waiting = path.with_name(f".{path.name}.tmp")
    waiting.write_bytes(content)
    waiting.replace(path)
