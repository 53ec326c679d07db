"""One more day of order lines, on top of a year of them: ours, as the stage brings ``gold.rfm`` up to date, against a bare
MERGE of the same rows, and against DuckDB doing everything again.

Each contender of Spark's gets a copy of the lake first (a part of its own). Run as a module with a contender, a data folder
and a target folder, this file is that contender.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import CORES, DRIVER_MEMORY, contender, local_session, part, run
from benchmarks.harness import ROOT, Comparison
from benchmarks.rfm_speed import DAYS, SIZES, digest_of, group_with_duckdb, lake_in, lines_of, write_lines

if TYPE_CHECKING:
    from jobs.runtime.stage import Run

NAME = "rfm-day"


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and the others over a day of a size; the year before it is summed up and scored in ``cache`` once."""
    data, lines = lines_of(size, cache).resolve(), SIZES[size]
    if not (data / "day-done").is_file():
        for folder in ("lines-of-the-day", "rows-of-the-day"):
            shutil.rmtree(data / folder, ignore_errors=True)
        write_lines(data / "lines-of-the-day", lines, lines, lines + lines // DAYS)
        subprocess.run([sys.executable, "-m", "benchmarks.rfm_day", "lake", str(data), str(data)], cwd=ROOT, check=True)
        (data / "day-done").touch()
    work = {"lines": lines, "lines_of_the_day": lines // DAYS, "cores": CORES, "driver_memory": DRIVER_MEMORY}
    contenders = tuple(contender(__name__, name, data, digest_of) for name in RUNNERS if name != "lake")
    return Comparison(NAME, size, work, "rfm", contenders)


def write_year(data: Path, target: Path) -> None:
    """Activity and RFM of the year in the lake; beside it the rows that the day is going to change, as they will be."""
    from conf.tables.gold import RFM
    from conf.tables.silver import ACTIVITY, IDENTITIES
    from jobs.runtime.lake import read
    from jobs.runtime.merge import merge
    from transforms.profile.activity import summarise_activity
    from transforms.rfm import score_rfm

    spark, lake = local_session(), lake_in(target)
    merge(spark, lake, ACTIVITY, summarise_activity(spark.read.parquet(str(data / "lines"))))
    _score(_run(data))
    lines = spark.read.parquet(str(data / "lines"), str(data / "lines-of-the-day"))
    day = spark.read.parquet(str(data / "lines-of-the-day")).selectExpr("primary_identifier_id as profile_id").distinct()
    touched = lines.join(day.withColumnRenamed("profile_id", "primary_identifier_id"), "primary_identifier_id", "left_semi")
    rows = score_rfm(summarise_activity(touched), read(spark, lake, IDENTITIES), _run(data).project.segments)
    rows.select(*RFM.column_names).write.parquet(str(target / "rows-of-the-day"))


def _run(folder: Path) -> Run:
    from conf.project import load_project
    from jobs.runtime.run_log import read_run_log
    from jobs.runtime.stage import Run

    as_of = datetime(2018, 1, 1, tzinfo=timezone.utc)
    return Run(load_project(), lake_in(folder), "a run", as_of, read_run_log(None, lake_in(folder)), local_session, as_of)


def _score(run: Run) -> Any:
    from jobs.score_rfm import score_rfm

    return score_rfm(run)


def _copy(data: Path, target: Path) -> None:
    with part("copy"):
        shutil.copytree(data / "lake", target / "lake")
    (target / "rfm").symlink_to(target / "lake" / "gold" / "rfm")
    with part("session"):
        local_session().range(1).count()


def update_ours(data: Path, target: Path) -> None:
    """The stage's way: the change feed of activity names the customers, who are scored anew and merged."""
    from conf.tables.silver import ACTIVITY
    from jobs.runtime.lake import append
    from transforms.profile.activity import summarise_activity

    _copy(data, target)
    spark = local_session()
    with part("activity"):  # a new day: all of its rows are new
        append(lake_in(target), ACTIVITY, summarise_activity(spark.read.parquet(str(data / "lines-of-the-day"))))
    with part("rfm"):
        _score(_run(target))


def merge_bare(data: Path, target: Path) -> None:
    """The rows, which somebody knows already, merged by their key."""
    from conf.tables.gold import RFM
    from jobs.runtime.lake import table_name

    _copy(data, target)
    spark = local_session()
    with part("rfm"):
        spark.read.parquet(str(data / "rows-of-the-day")).createOrReplaceTempView("rows_of_the_day")
        columns = ", ".join(f"t.{name} = s.{name}" for name in RFM.column_names)
        spark.sql(
            f"MERGE INTO {table_name(lake_in(target), RFM.name)} t USING rows_of_the_day s ON t.profile_id = s.profile_id "
            f"WHEN MATCHED THEN UPDATE SET {columns} WHEN NOT MATCHED THEN INSERT *"
        )


def group_everything(data: Path, target: Path) -> None:
    """The query over the year and the day."""
    group_with_duckdb(data, target, "lines*")


RUNNERS: dict[str, Callable[[Path, Path], None]] = {
    "ours": update_ours,
    "bare-merge": merge_bare,
    "duckdb-everything": group_everything,
    "lake": write_year,
}


if __name__ == "__main__":
    run(RUNNERS)
