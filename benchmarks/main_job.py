"""The first ``c360 run`` over the sample, against the engine's floor: every file read, and written once as Delta.

Run as a module with a landing and a target folder, this file is the floor.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, Comparison, Contender
from conf.project import load_project
from conf.source import Source
from jobs.sample.days import DAYS, FIRST_DELIVERY

NAME = "main-job"
SIZES: dict[str, tuple[int, int | None]] = {"s": (60, 300), "m": (FIRST_DELIVERY, None), "l": (DAYS, None)}
"""Days and households (None: all) of the sample."""


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and the floor over the sample of a size, which is written into ``cache`` once."""
    landing = _sample(size, cache / f"sample-{size}").resolve()
    days, households = SIZES[size]
    files = [path for source in _sources() for path in (landing / source.path).glob("[!.]*")]
    work = {
        "days": days,
        "households": households or "all",
        "seed": json.loads((landing / ".sample.json").read_text())["seed"],
        "files": len(files),
        "mib": round(sum(path.stat().st_size for path in files) / 1024**2, 1),
    }
    return Comparison(NAME, size, work, "rows", (_ours(landing), _floor(landing)))


def write_floor(landing: Path, target: Path) -> None:
    """Each source as the plainest program would copy it: Spark's own reader, one append, nothing looked at."""
    from jobs.runtime.session import get_session

    for source in _sources():
        if any((landing / source.path).glob("[!.]*")):
            rows = get_session().read.format(source.format).options(**source.options).load(str(landing / source.path))
            rows.write.format("delta").save(str(target / source.source))


def _sources() -> tuple[Source, ...]:
    return load_project().sources


def _sample(size: str, landing: Path) -> Path:
    days, households = SIZES[size]
    state = landing / ".sample.json"
    if state.is_file() and json.loads(state.read_text())["delivered"] == days:
        return landing
    shutil.rmtree(landing, ignore_errors=True)  # one that was interrupted
    command = [
        sys.executable,
        "-m",
        "jobs.cli",
        "sample",
        "--env",
        "local",
        "--landing",
        str(landing),
        "--days",
        str(days),
    ]
    subprocess.run([*command, *(["--households", str(households)] if households else [])], cwd=ROOT, check=True)
    return landing


def _ours(landing: Path) -> Contender:
    def command(folder: Path) -> list[str]:
        where = ("--env", "local", "--landing", str(landing), "--lake", str(folder / "lake"))
        return [sys.executable, "-m", "jobs.cli", "run", *where, "--json"]

    return Contender("ours", command, _rows_read, _seconds_by_stage)


def _rows_read(folder: Path) -> dict[str, int]:
    """What bronze noted in ``ops.runs`` that it read, by source."""
    from jobs.runtime.lake import open_lake
    from jobs.runtime.run_log import read_run_log

    settings = load_project(env="local", lake=str(folder / "lake")).settings
    record = read_run_log(None, open_lake(settings)).last_done("ingest-bronze")
    assert record is not None, "the run left no record of what it read"
    return {source: counts["read"] for source, counts in sorted(record.counts.items())}


def _seconds_by_stage(printed: str) -> dict[str, float]:
    return {stage["stage"]: stage["seconds"] for stage in json.loads(printed)["stages"]}


def _floor(landing: Path) -> Contender:
    def command(folder: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.main_job", str(landing), str(folder / "floor")]

    return Contender("engine-floor", command, _rows_written)


def _rows_written(folder: Path) -> dict[str, int]:
    """What Delta says was written, by source."""
    from deltalake import DeltaTable

    def metrics(path: Path) -> dict[str, Any]:
        return DeltaTable(str(path)).history(1)[0]["operationMetrics"]

    return {path.name: int(metrics(path)["numOutputRows"]) for path in sorted((folder / "floor").iterdir())}


if __name__ == "__main__":
    write_floor(Path(sys.argv[1]), Path(sys.argv[2]))
