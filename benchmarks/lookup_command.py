"""The whole command, from nothing running to a profile on the terminal, against programs that ask Spark or DuckDB.

Run as a module with an engine, a lake and a question, this file is one of those programs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness import Comparison, Contender
from benchmarks.lookup import SIZES, questions, tables_of
from benchmarks.lookup_lake import lookup_lake
from conf.project import load_project
from jobs.look_up_profile import Lookup

NAME = "lookup-command"


def comparison(size: str, cache: Path) -> Comparison:
    """One profile of the lake of a size, which is made in ``cache`` once."""
    profiles = SIZES[size]
    lake = lookup_lake(cache / f"lookup-{size}", profiles).resolve()
    question = list(questions(profiles, 8))[-1]
    commands = {
        "ours": [sys.executable, "-m", "jobs.cli", "lookup", question, "--env", "local", "--lake", str(lake), "--json"],
        "duckdb": [sys.executable, "-m", "benchmarks.lookup_command", "duckdb", str(lake), question],
        "spark": [sys.executable, "-m", "benchmarks.lookup_command", "spark", str(lake), question],
    }
    contenders = tuple(Contender(name, lambda folder, c=command: c, _told) for name, command in commands.items())
    return Comparison(NAME, size, {"profiles": profiles}, "profile", contenders)


def _told(folder: Path) -> str:
    """The profile and how much of it was told."""
    profile = json.loads((folder / "stdout").read_text())
    return f"{profile['profile_id']}: {len(profile['identifiers'])} identifiers, {len(profile['events'])} events"


if __name__ == "__main__":
    found = Lookup(load_project(), tables_of(sys.argv[1], sys.argv[2])).profile_of(sys.argv[3])
    print(json.dumps(asdict(found), default=str))
