"""When a stage runs, and for which keys."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from conf.project import load_project
from conf.tables.contract import Column, Table
from jobs.runtime.lake import Lake, union
from jobs.runtime.merge import merge
from jobs.runtime.run_log import RunLog
from jobs.runtime.stage import EVERYTHING, Changes, Run, Stage, run_stage

INPUT = Table(
    "silver.input", "Input", (Column("id", T.StringType(), "Id", nullable=False), Column("n", T.LongType(), "N")), ("id",)
)


@dataclass
class Watched:
    """A stage over one table that notes for which keys it ran; as days pass, the key ``old`` crosses a bound."""

    run: Run
    crosses: bool = True
    reads: tuple[str, ...] = (INPUT.name,)
    seen: list[Any] = field(default_factory=list)

    def deliver(self, *rows: tuple[str, int]) -> None:
        merge(
            self.run.spark, self.run.lake, INPUT, self.run.spark.createDataFrame(list(rows), INPUT.schema), delete_missing=False
        )

    def runs_on(self, day: int | None) -> tuple[str, Any]:
        """Why it ran as of that day of January (None: without a day), and for which keys (None: it did not run)."""
        self.seen.clear()
        stage = Stage(
            name="watched",
            reads=self.reads,
            writes=(),
            fingerprint=lambda p: "1",
            body=self._note,
            keys=lambda run, feeds: union([feed.select("id") for feed in feeds.values()]),
            uses_as_of=True,
            keys_crossing=self._crossing if self.crosses else None,
        )
        as_of = None if day is None else datetime(2017, 1, day, 12, tzinfo=timezone.utc)
        outcome = run_stage(replace(self.run, as_of=as_of), stage)
        return outcome.why, self.seen[0] if self.seen else None

    def _note(self, run: Run, changes: Changes) -> dict[str, Any]:
        self.seen.append("all" if changes.keys is None else sorted(row.id for row in changes.keys.collect()))
        return {}

    def _crossing(self, run: Run, last_as_of: datetime) -> DataFrame:
        return run.spark.createDataFrame([(f"crossed since {last_as_of.day}",)], "id string")


@pytest.fixture
def watched(spark: SparkSession, tmp_path: Path) -> Watched:
    run = Run(load_project(), Lake(str(tmp_path)), "r", datetime(2017, 1, 1, tzinfo=timezone.utc), RunLog(), lambda: spark)
    stage = Watched(run)
    stage.deliver(("a", 1), ("b", 1))
    assert stage.runs_on(2) == ("first build", "all")
    return stage


def test_on_the_same_day_without_a_change_it_has_nothing_to_do(watched: Watched) -> None:
    assert watched.runs_on(2) == ("nothing to do", None)


def test_a_new_day_names_what_crossed_a_bound_since_the_last_one(watched: Watched) -> None:
    assert watched.runs_on(5) == ("as_of moved", ["crossed since 2"])
    assert watched.runs_on(6) == ("as_of moved", ["crossed since 5"])


def test_a_new_day_with_changes_names_both(watched: Watched) -> None:
    watched.deliver(("b", 2))
    assert watched.runs_on(3) == ("as_of moved", ["b", "crossed since 2"])


def test_an_earlier_day_only_reads(watched: Watched) -> None:
    watched.deliver(("b", 2))
    assert watched.runs_on(1) == ("nothing: an earlier as_of only reads (--full-refresh goes back)", None)


def test_a_full_refresh_goes_back_to_an_earlier_day_and_days_go_on_from_there(watched: Watched) -> None:
    watched.run = replace(watched.run, full_refresh=True)
    assert watched.runs_on(1) == ("full refresh", "all")
    watched.run = replace(watched.run, full_refresh=False)
    assert watched.runs_on(2) == ("as_of moved", ["crossed since 1"])


def test_where_no_event_is_left_to_take_the_day_from_all_keys_are_looked_at(watched: Watched) -> None:
    assert watched.runs_on(None) == ("as_of moved", "all")
    assert watched.runs_on(None) == ("nothing to do", None)
    assert watched.runs_on(3) == ("as_of moved", "all")


def test_without_a_table_that_it_read_before_it_looks_at_all_keys(watched: Watched) -> None:
    other = replace(INPUT, name="silver.other")
    merge(watched.run.spark, watched.run.lake, other, watched.run.spark.createDataFrame([("z", 1)], INPUT.schema))
    watched.reads = (INPUT.name, other.name)
    assert watched.runs_on(2) == ("changes in silver.other", ["z"])
    watched.reads = (INPUT.name,)
    assert watched.runs_on(2) == ("silver.other no longer read", "all")


def test_a_stage_that_cannot_tell_what_crosses_looks_at_all_keys_on_a_new_day(watched: Watched) -> None:
    watched.crosses = False
    assert watched.runs_on(3) == ("as_of moved", "all")


def test_where_the_collector_does_not_run_by_itself_it_runs_after_each_stage(watched: Watched) -> None:
    phases: list[str] = []
    watched.deliver(("a", 2))
    gc.callbacks.append(note := lambda phase, about: phases.append(phase))
    gc.disable()
    try:
        watched.runs_on(3)
    finally:
        gc.enable()
        gc.callbacks.remove(note)
    assert phases == ["start", "stop"]


@pytest.mark.parametrize("few", [False, True], ids=["many", "few"])
def test_rows_of_keys_are_those_that_have_one_and_for_those_of_few_keys_no_table_is_shuffled(
    spark: SparkSession, capsys: pytest.CaptureFixture[str], few: bool
) -> None:
    keys = spark.createDataFrame([("a",), ("c",)], "profile_id string")
    identities = spark.createDataFrame(
        [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")], "identifier_id string, profile_id string"
    )
    rows = Changes(False, keys=keys, few=few).of_keys(identities)
    assert sorted(row.identifier_id for row in rows.collect()) == ["1", "3", "4"]
    threshold = spark.conf.get("spark.sql.autoBroadcastJoinThreshold")
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")  # as if the table of identities were large
    try:
        spark.range(5).selectExpr("cast(id as string) as identifier_id").join(rows, "identifier_id").explain()
    finally:
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", str(threshold))
    assert ("SortMergeJoin" in capsys.readouterr().out) != few


def test_without_keys_all_rows_are_meant(spark: SparkSession) -> None:
    assert EVERYTHING.of_keys(spark.range(3)).count() == 3
