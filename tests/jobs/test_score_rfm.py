"""A declared window: a new day rewrites those of whom a day left it, and the result is that of a build at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.project import load_project
from conf.tables.gold import RFM
from conf.tables.silver import ACTIVITY, IDENTITIES
from jobs.runtime.lake import Lake, fetch
from jobs.runtime.merge import merge
from jobs.runtime.run_log import RunLog
from jobs.runtime.stage import Outcome, Run
from jobs.score_rfm import score_rfm

FIRST = date(2017, 1, 1)
DAYS = {"ann": (0, 9, 12), "bob": (11,), "cat": (1, 2, 3), "dan": (3,)}


@dataclass(frozen=True)
class Lived:
    """What became of each day's run, by day, in a lake that lived through them, and its scores beside a new lake's."""

    outcomes: dict[int, Outcome]
    daily: list[dict[str, Any]]
    at_once: list[dict[str, Any]]


@pytest.fixture(scope="module")
def lived(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("window")
    daily, at_once = Lake(str(folder / "daily")), Lake(str(folder / "at_once"))
    log = RunLog()
    _fill(spark, daily)
    outcomes = {day: _score(spark, daily, log, day) for day in (9, 11, 13)}
    outcomes[10] = _score(spark, daily, log, 10)
    _fill(spark, at_once)
    _score(spark, at_once, RunLog(), 13)
    return Lived(outcomes, _rows(daily), _rows(at_once))


def _score(spark: SparkSession, lake: Lake, log: RunLog, day: int) -> Outcome:
    project = load_project(lake=lake.root)
    project = replace(project, segments=project.segments.model_copy(update={"window": "10d"}))
    now = datetime(2017, 1, 1, 20, tzinfo=timezone.utc) + timedelta(days=day)
    (outcome,) = score_rfm(Run(project, lake, f"run-{day}", now, log, lambda: spark, now))
    return outcome


def _fill(spark: SparkSession, lake: Lake) -> None:
    days = [(who, FIRST + timedelta(days=day)) for who, bought in DAYS.items() for day in bought]
    _merge_rows(spark, lake, ACTIVITY, [_bought(who, day) for who, day in days])
    held = {"namespace": "crm_id", "component_id": "-"}
    _merge_rows(spark, lake, IDENTITIES, [{"identifier_id": who, "profile_id": who, **held} for who in DAYS])


def _bought(who: str, day: date) -> dict[str, Any]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)
    times = {"first_purchase_at": noon, "last_purchase_at": noon}
    money = {"purchases": 1, "units": Decimal(1), "revenue": Decimal(5), "returned": Decimal(0)}
    return {"identifier_id": who, "activity_on": day, **times, **money}


def _merge_rows(spark: SparkSession, lake: Lake, table: Any, rows: list[dict[str, Any]]) -> None:
    full = [tuple(row.get(name) for name in table.column_names) for row in rows]
    merge(spark, lake, table, spark.createDataFrame(full, table.schema))


def _rows(lake: Lake) -> list[dict[str, Any]]:
    return sorted(fetch(None, lake, RFM.name, RFM.column_names).to_pylist(), key=str)


def test_days_that_pass_give_what_a_build_at_once_gives(lived: Lived) -> None:
    assert lived.daily == lived.at_once != []


def test_a_new_day_looks_only_at_those_of_whom_a_day_left_the_window(lived: Lived) -> None:
    outcome = lived.outcomes[11]
    assert (outcome.why, outcome.counts["keys"]) == ("as_of moved", 2)
    assert outcome.counts["rfm"] == {"inserted": 0, "updated": 2, "deleted": 0}


def test_who_has_no_purchase_left_in_the_window_leaves_the_table(lived: Lived) -> None:
    assert lived.outcomes[13].counts["rfm"] == {"inserted": 0, "updated": 0, "deleted": 2}


def test_an_earlier_as_of_only_reads(lived: Lived) -> None:
    assert not lived.outcomes[10].ran
