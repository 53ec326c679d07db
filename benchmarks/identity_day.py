"""A day of new records on a lake that has many: our incremental stage, with ten times the history, and the bare MERGEs.

The day is 1% of the lake's records: half about people it knows, half about new ones. The bare MERGEs write the same rows into
the same tables, found beforehand from the change feed of our own run: what any way of keeping these tables has to pay.
Of our run, ``resolve-identities`` is what compares with ``merge``; the rest is copying the lake and delivering the day.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bare_merges import copy_lake, find_changes, merge_barely, rows_written
from benchmarks.contending import CORES, DRIVER_MEMORY, contender, part, run
from benchmarks.drawn_records import RECORDS_A_PERSON, SEED, write_records
from benchmarks.harness import ROOT, Comparison
from benchmarks.identity_full import RECORDS, run_on
from benchmarks.partitions import digest_of

if TYPE_CHECKING:
    from conf.tables.contract import Table

NAME = "identity-day"
HISTORY = 10
TABLES = ("silver.identity_links", "silver.identities")


def comparison(size: str, cache: Path) -> Comparison:
    """Ours, ours with ten times the history, and the bare MERGEs; lakes and the day are made in ``cache`` once."""
    data = _lakes(size, cache / f"identity-day-{size}").resolve()
    work = {"seed": SEED, "records": RECORDS[size], "new": RECORDS[size] // 100, "cores": CORES, "driver_memory": DRIVER_MEMORY}
    names = ("ours", "ours-tenfold-history", "bare-merges")
    contenders = [contender("benchmarks.identity_day", name, data, _rows_written) for name in names]
    return Comparison(NAME, size, {**work, "history": HISTORY}, "rows written", tuple(contenders))


def _rows_written(folder: Path) -> dict[str, int]:
    return rows_written(folder / "lake", TABLES)


def _lakes(size: str, folder: Path) -> Path:
    if (folder / "done").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
    records = RECORDS[size]
    known, new = records // RECORDS_A_PERSON, records // 100
    everybody = known * HISTORY + new
    write_records(folder / "base" / "records", range(records), range(known), everybody)
    write_records(folder / "tenfold" / "records", range(records), range(known), everybody)
    write_records(folder / "tenfold" / "records", range(records, records * HISTORY), range(known, known * HISTORY), everybody)
    first = records * HISTORY
    write_records(folder / "day", range(first, first + new // 2), range(known), everybody)
    write_records(folder / "day", range(first + new // 2, first + new), range(known * HISTORY, everybody), everybody)
    for name, where in (("build", "base"), ("build", "tenfold"), ("changes", "")):
        given, target = folder / where, folder / (where or "changes")
        target.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.identity_day", name, str(given), str(target)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (folder / "done").touch()
    return folder


def build_lake(data: Path, target: Path) -> None:
    """A lake whose records are resolved."""
    from benchmarks.identity_full import write_lake
    from jobs.resolve_identities import resolve_stage
    from jobs.runtime.lake import Lake
    from jobs.runtime.stage import run_stage

    write_lake(data, target)
    now = run_on(Lake(str(target / "lake")))
    run_stage(now, resolve_stage(now.project))


def find_rows(data: Path, target: Path) -> None:
    """The rows that our run changes, from the change feed; checked to give the same partition when they are merged."""
    find_changes(data, target, _tables(), run_ours, lambda lake: digest_of(lake / "silver" / "identities"))


def run_ours(data: Path, target: Path) -> None:
    """The day is delivered, the stage runs, and then once more, with nothing to do."""
    _run_day(data, "base", target)


def run_ours_on_tenfold_history(data: Path, target: Path) -> None:
    """The same day on a lake with ten times the records."""
    _run_day(data, "tenfold", target)


def _run_day(data: Path, base: str, target: Path) -> None:
    from conf.tables.silver import RECORDS as TABLE
    from jobs.resolve_identities import resolve_stage
    from jobs.runtime.lake import Lake, append
    from jobs.runtime.stage import run_stage

    with part("copy"):
        copy_lake(data / base / "lake", target / "lake")
    with part("session"):
        now = run_on(Lake(str(target / "lake")))
    with part("deliver"):
        append(now.lake, TABLE, now.spark.read.parquet(str(data / "day")))
    stage = resolve_stage(now.project)
    with part(stage.name):
        run_stage(now, stage)
    with part("nothing new"):
        again = run_stage(now, stage)
    assert not again.ran, "a run with nothing new did something"


def merge_rows(data: Path, target: Path) -> None:
    """The changed rows, merged by key and nothing else."""
    merge_barely(data, target, _tables(), data / "changes")


def _tables() -> tuple[Table, ...]:
    from conf.tables.silver import IDENTITIES, IDENTITY_LINKS

    return IDENTITY_LINKS, IDENTITIES


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
