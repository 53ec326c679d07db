"""The first build of profiles' measures, those that the shipped ``profile.yml`` declares, from events and identities.

Ours: ``build-activity`` and ``publish-customer-360`` as ``c360 run`` runs them, on a lake whose ``silver.events`` and
``silver.identities`` are there and nothing else. They write what each identifier did on each day twice over (the state that
late events, merges and windows are cheap from) and the customer 360, all as Delta with a change feed.
Plain Spark: the same measures straight from the same two tables, a group-by for each kind of measure, joined by profile and
written as Delta once. No state is kept, so the next day costs it the same again.
DuckDB: the same as SQL over the same Parquet files, written as one Parquet file.
All three agree on a digest of every profile's every measure before anything is timed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, time, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import CORES, DRIVER_MEMORY, contender, local_session, part, run
from benchmarks.drawn_events import EVENTS_A_PROFILE, LAST_DAY, append_events, append_identities, write_history
from benchmarks.harness import ROOT, Comparison
from benchmarks.plain_measures import measure_with_duckdb, measure_with_spark, measures_digest

if TYPE_CHECKING:
    from conf.project import Project
    from jobs.runtime.lake import Lake
    from jobs.runtime.stage import Run

NAME = "profile-build"
PROFILES = {"s": 20_000, "m": 100_000, "l": 1_000_000}


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and the others over the events of a size, which are put into a lake in ``cache`` once."""
    data = _lake_of_events(size, cache / f"profile-build-{size}").resolve()
    work = {
        "profiles": PROFILES[size],
        "events": PROFILES[size] * EVENTS_A_PROFILE,
        "cores": CORES,
        "driver_memory": DRIVER_MEMORY,
    }
    names = ("ours", "plain-spark", "duckdb")
    contenders = [contender("benchmarks.profile_build", name, data, _found) for name in names]
    return Comparison(NAME, size, work, "measures", tuple(contenders))


def _found(folder: Path) -> dict[str, Any]:
    return measures_digest(folder / "profiles")


def _lake_of_events(size: str, folder: Path) -> Path:
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
        write_history(folder / "drawn", PROFILES[size])
        command = [sys.executable, "-m", "benchmarks.profile_build", "lake", str(folder / "drawn"), str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder / "drawn")
        (folder / "done").touch()
    return folder


def write_lake(drawn: Path, target: Path) -> None:
    """A lake as ingest and ``resolve-identities`` leave it: events and identities."""
    from jobs.runtime.lake import Lake

    lake = Lake(str(target / "lake"))
    append_events(lake, drawn)
    events = local_session().read.parquet(str(drawn)).count()
    append_identities(lake, events // EVENTS_A_PROFILE)


def declared() -> Project:
    """The shipped configuration without its attributes and consents."""
    from conf.project import load_project

    project = load_project()
    return replace(project, profile=project.profile.model_copy(update={"attributes": (), "consents": ()}))


def run_on(lake: Lake) -> Run:
    """A run over the lake at the end of the last day, with what it remembers of former ones."""
    from jobs.runtime.run_log import read_run_log
    from jobs.runtime.stage import Run

    spark, project = local_session(), declared()
    now = datetime.combine(LAST_DAY, time(23), timezone.utc)
    return Run(project, lake, "bench", now, read_run_log(spark, lake), lambda: spark, as_of=now)


def run_stages(now: Run) -> None:
    """The two stages, a part each."""
    from jobs.build_profiles import activity_stage
    from jobs.publish_customer_360 import publish_stage
    from jobs.runtime.stage import run_stage

    for stage in (activity_stage(now.project), publish_stage(now.project)):
        with part(stage.name):
            run_stage(now, stage)


def build_ours(data: Path, target: Path) -> None:
    """Our two stages, over events and identities that are only pointed at."""
    from jobs.runtime.lake import Lake

    (target / "lake" / "silver").mkdir(parents=True)
    for table in ("events", "identities"):
        (target / "lake" / "silver" / table).symlink_to(data / "lake" / "silver" / table)
    with part("session"):
        now = run_on(Lake(str(target / "lake")))
    run_stages(now)
    (target / "profiles").symlink_to(target / "lake" / "gold" / "customer_360")


def build_plainly(data: Path, target: Path) -> None:
    """Plain DataFrames."""
    with part("session"):
        spark = local_session()
    silver = data / "lake" / "silver"
    events, identities = (spark.read.format("delta").load(str(silver / name)) for name in ("events", "identities"))
    with part("measures"):
        rows = measure_with_spark(events, identities, LAST_DAY)
        rows.write.format("delta").save(str(target / "profiles"))


def build_with_duckdb(data: Path, target: Path) -> None:
    """DuckDB."""
    silver = data / "lake" / "silver"
    with part("measures"):
        measure_with_duckdb(silver / "events", silver / "identities", LAST_DAY, target / "profiles")


if __name__ == "__main__":
    run({"lake": write_lake, "ours": build_ours, "plain-spark": build_plainly, "duckdb": build_with_duckdb})
