"""An evening's orders of 1% of the profiles: our incremental stages, with ten times the history, and the bare MERGEs.

The orders are of the last day, at whose end the lake stands: so it is these profiles whose measures change, and nobody's
because time passes. The bare MERGEs write the same rows into the same tables, found beforehand from the change feeds of our
own run: what any way of keeping these tables has to pay. Of our run, its two stages are what compares with ``merge``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bare_merges import copy_lake, find_changes, merge_barely, rows_written
from benchmarks.contending import CORES, DRIVER_MEMORY, contender, part, run
from benchmarks.drawn_events import EVENTS_A_PROFILE, append_events, write_evening, write_history
from benchmarks.harness import ROOT, Comparison
from benchmarks.plain_measures import measures_digest
from benchmarks.profile_build import declared, run_on, run_stages, write_lake

if TYPE_CHECKING:
    from conf.tables.contract import Table

NAME = "profile-day"
PROFILES = {"s": 5_000, "m": 20_000, "l": 100_000}
HISTORY = 10
TABLES = ("silver.activity", "silver.activity_measures", "gold.customer_360")


def comparison(size: str, cache: Path) -> Comparison:
    """Ours, ours with ten times the history, and the bare MERGEs; lakes and the evening are made in ``cache`` once."""
    data = _lakes(size, cache / f"profile-day-{size}").resolve()
    profiles = PROFILES[size]
    work = {
        "profiles": profiles,
        "events": profiles * EVENTS_A_PROFILE,
        "touched": profiles // 100,
        "history": HISTORY,
        "cores": CORES,
        "driver_memory": DRIVER_MEMORY,
    }
    names = ("ours", "ours-tenfold-history", "bare-merges")
    contenders = [contender("benchmarks.profile_day", name, data, _rows_written) for name in names]
    return Comparison(NAME, size, work, "rows written", tuple(contenders))


def _rows_written(folder: Path) -> dict[str, int]:
    return rows_written(folder / "lake", TABLES)


def _lakes(size: str, folder: Path) -> Path:
    if (folder / "done").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
    profiles = PROFILES[size]
    beyond = profiles * HISTORY * EVENTS_A_PROFILE
    write_evening(folder / "evening", beyond, profiles // 100, profiles)
    for name, times in (("base", 1), ("tenfold", HISTORY)):
        write_history(folder / name / "drawn", profiles * times)
        _run("build", folder / name / "drawn", folder / name)
        shutil.rmtree(folder / name / "drawn")
    (folder / "changes").mkdir()
    _run("changes", folder, folder / "changes")
    (folder / "done").touch()
    return folder


def _run(name: str, data: Path, target: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.profile_day", name, str(data), str(target)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def build_lake(data: Path, target: Path) -> None:
    """A lake whose profiles are built, laid out as ``c360 maintain`` leaves it."""
    from jobs.maintain_lake import maintain_lake
    from jobs.runtime.lake import Lake

    write_lake(data, target)
    lake = Lake(str(target / "lake"))
    run_stages(run_on(lake))
    maintain_lake(run_on(lake))


def find_rows(data: Path, target: Path) -> None:
    """The rows that our run changes, from the change feeds; checked to give the same profiles when they are merged."""
    find_changes(data, target, _tables(), run_ours, lambda lake: measures_digest(lake / "gold" / "customer_360"))


def run_ours(data: Path, target: Path) -> None:
    """The evening is delivered, and the stages run."""
    _run_evening(data, "base", target)


def run_ours_on_tenfold_history(data: Path, target: Path) -> None:
    """The same evening on a lake with ten times the profiles and events."""
    _run_evening(data, "tenfold", target)


def _run_evening(data: Path, base: str, target: Path) -> None:
    from jobs.runtime.lake import Lake

    lake = Lake(str(target / "lake"))
    with part("copy"):
        copy_lake(data / base / "lake", target / "lake")
    with part("session"):
        now = run_on(lake)
    with part("deliver"):
        append_events(lake, data / "evening")
    run_stages(now)


def merge_rows(data: Path, target: Path) -> None:
    """The changed rows, merged by key and nothing else."""
    merge_barely(data, target, _tables(), data / "changes")


def _tables() -> tuple[Table, ...]:
    from conf.tables.gold import customer_360_table
    from conf.tables.measures import activity_measures_table
    from conf.tables.silver import ACTIVITY

    profile = declared().profile
    return ACTIVITY, activity_measures_table(profile), customer_360_table(profile)


if __name__ == "__main__":
    run(
        {
            "build": build_lake,
            "changes": find_rows,
            "ours": run_ours,
            "ours-tenfold-history": run_ours_on_tenfold_history,
            "bare-merges": merge_rows,
        }
    )
