"""Ten days of a small shop, with a late purchase, a merge, a split, a quiet day and a retrain: each day's RFM and segments
are those of a recompute of everything, and only rows that changed were written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.project import Project, load_project
from conf.tables.contract import Table
from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS
from conf.tables.silver import ACTIVITY, IDENTITIES
from jobs.assign_segments import assign_segments
from jobs.runtime.lake import Lake, append_to_files, fetch, local_path, read
from jobs.runtime.merge import merge
from jobs.runtime.run_log import read_run_log
from jobs.runtime.stage import Run
from jobs.score_rfm import score_rfm
from jobs.train_segments import staging_folder, tracking_of, train_segments
from models.assign import assign_segments as assign
from models.features import segment_features
from models.registry import load_champion, load_version
from tests.models.cohorts import default_config

FIRST, OPENING, DAYS, CUSTOMERS = date(2017, 1, 1), 60, range(61, 71), 80
CLUSTERS = {"k": [4], "seed": 1, "starts": 1, "finalists": 1, "resamples": 0}
LATE, MERGED, QUIET, RETRAINED, SPLIT = 62, 63, 64, 66, 67
ANN, BOB = "customer-0", "customer-1"

Rows = dict[tuple[Any, ...], dict[str, Any]]


@dataclass
class Shop:
    """Who bought on which day for how much, whose each identifier is, and the lake that is told of it day by day."""

    spark: SparkSession
    lake: Lake
    project: Project
    bought: dict[tuple[str, int], Decimal] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)

    def run(self, day: int, **asked: Any) -> Run:
        now = datetime.combine(FIRST + timedelta(days=day), time(20), timezone.utc)
        return Run(self.project, self.lake, f"day-{day}", now, read_run_log(None, self.lake), lambda: self.spark, now, **asked)

    def deliver(self, bought: dict[tuple[str, int], Decimal]) -> None:
        self.bought |= bought
        if bought:
            rows = [_activity(who, day, money) for (who, day), money in bought.items()]
            append_to_files(f"{self.lake.root}/silver/activity", ACTIVITY, rows)

    def identify(self, moved: dict[str, str]) -> None:
        """Every customer is a profile of their own, but for those who turned out to be another."""
        self.moved = moved
        whose = {who: moved.get(who, who) for who in _names()}
        rows = [tuple(_identity(who, profile).values()) for who, profile in whose.items()]
        merge(self.spark, self.lake, IDENTITIES, self.spark.createDataFrame(rows, IDENTITIES.schema))

    def recomputed(self) -> Rows:
        """Last purchase, purchase days and money of each profile, from all that was bought."""
        found: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        for (who, day), money in self.bought.items():
            found[self.moved.get(who, who)].append((day, money))
        return {
            (profile,): {
                "last_purchase_at": _noon(max(day for day, _ in days)),
                "frequency": len({day for day, _ in days}),
                "monetary": sum(money for _, money in days),
            }
            for profile, days in found.items()
        }

    def rows(self, table: Table) -> Rows:
        """What the table holds, by key."""
        rows = fetch(None, self.lake, table.name, table.column_names).to_pylist()
        return {tuple(row[key] for key in table.keys): row for row in rows}

    def written(self, table: Table, since: int) -> int:
        """Rows that Delta says were inserted, updated and deleted in versions after ``since``."""
        commits = [one for one in DeltaTable(str(local_path(self.lake, table.name))).history() if one["version"] > since]
        merged = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
        return sum(
            int(commit["operationMetrics"].get(name, 0))
            for commit in commits
            for name in (merged if commit["operation"] == "MERGE" else ("numOutputRows",))
        )

    def version(self, table: Table) -> int:
        return DeltaTable(str(local_path(self.lake, table.name))).version()


@dataclass(frozen=True)
class Day:
    """What one day's run left, beside a recompute, and how many rows of each table it wrote and changed."""

    rfm: Rows
    recomputed: Rows
    current: dict[str, tuple[str, str]]
    assigned: dict[str, tuple[str, str]]
    written: dict[str, int]
    changed: dict[str, int]


@pytest.fixture(scope="module")
def read_once() -> Iterator[None]:
    """A version of the model is read from its store once, and not on each day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.registry.load_version", cache(load_version))
        yield


@pytest.fixture(scope="module")
def days(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, read_once: None) -> dict[int, Day]:
    lake = Lake(str(tmp_path_factory.mktemp("ten-days")))
    shop = Shop(spark, lake, replace(load_project(lake=lake.root), segments=default_config(clusters=CLUSTERS)))
    dice = np.random.default_rng(20170101)
    habit = dice.uniform(0.01, 0.5, CUSTOMERS)

    def of_day(day: int) -> dict[tuple[str, int], Decimal]:
        came = [who for who, often in zip(_names(), habit, strict=True) if dice.random() < often]
        return {(who, day): Decimal(int(dice.integers(500, 9000))) / 100 for who in came}

    shop.identify({})
    opening = {(who, 0): Decimal(20) for who in _names()}
    for day in range(1, OPENING + 1):
        opening |= of_day(day)
    opening.pop((BOB, 40), None)  # it comes late
    shop.deliver(opening)
    first = shop.run(OPENING)
    for job in (score_rfm, train_segments, assign_segments):
        job(first)
    lived = {}
    for day in DAYS:
        if day != QUIET:
            shop.deliver(of_day(day) | ({(BOB, 40): Decimal("77.70")} if day == LATE else {}))
        if day in (MERGED, SPLIT):
            shop.identify({BOB: ANN} if day == MERGED else {})
        lived[day] = _live(shop, day)
    return lived


def _live(shop: Shop, day: int) -> Day:
    tables = (RFM, SEGMENT_ASSIGNMENTS)
    before = {table.name: (shop.version(table), shop.rows(table)) for table in tables}
    score_rfm(shop.run(day))
    if day == RETRAINED:
        (trained,) = train_segments(shop.run(day, train=True))
        assert trained.counts["promoted"], trained.counts["notes"]
    assign_segments(shop.run(day))
    after = {table.name: shop.rows(table) for table in tables}
    return Day(
        rfm={
            key: {name: row[name] for name in ("last_purchase_at", "frequency", "monetary")}
            for key, row in after[RFM.name].items()
        },
        recomputed=shop.recomputed(),
        current={
            row["profile_id"]: (row["segment"], row["model_version"])
            for row in after[SEGMENT_ASSIGNMENTS.name].values()
            if row["is_current"]
        },
        assigned=_assigned(shop, day),
        written={table.name: shop.written(table, before[table.name][0]) for table in tables},
        changed={table.name: _changed(before[table.name][1], after[table.name]) for table in tables},
    )


def _assigned(shop: Shop, day: int) -> dict[str, tuple[str, str]]:
    """Everybody's segment by the champion."""
    run = shop.run(day)
    champion = load_champion(tracking_of(run), staging_folder(run))
    assert champion is not None
    assert run.as_of is not None
    rows = assign(segment_features(read(shop.spark, shop.lake, RFM), run.as_of), champion.model, champion.names)
    return {row.profile_id: (row.segment, champion.version) for row in rows.collect()}


def _changed(before: Rows, after: Rows) -> int:
    return sum(before.get(key) != after.get(key) for key in before.keys() | after.keys())


def _names() -> list[str]:
    return [f"customer-{number}" for number in range(CUSTOMERS)]


def _noon(day: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=day), time(12), timezone.utc)


def _activity(who: str, day: int, money: Decimal) -> dict[str, Any]:
    noon = _noon(day)
    times = {"first_purchase_at": noon, "last_purchase_at": noon}
    counts = {"purchases": 1, "units": Decimal(1), "revenue": money, "returned": Decimal(0)}
    return {**dict.fromkeys(ACTIVITY.column_names), "identifier_id": who, "activity_on": noon.date(), **times, **counts}


def _identity(who: str, profile: str) -> dict[str, Any]:
    known = {"identifier_id": who, "profile_id": profile, "namespace": "crm_id", "component_id": profile}
    return {**dict.fromkeys(IDENTITIES.column_names), **known}


def test_recency_frequency_and_money_are_those_of_a_recompute_on_each_day(days: dict[int, Day]) -> None:
    assert {day: lived.rfm == lived.recomputed for day, lived in days.items()} == dict.fromkeys(DAYS, True)


def test_everybody_is_in_the_segment_that_the_champion_gives_on_each_day(days: dict[int, Day]) -> None:
    assert {day: lived.current == lived.assigned != {} for day, lived in days.items()} == dict.fromkeys(DAYS, True)


def test_only_rows_that_changed_were_written(days: dict[int, Day]) -> None:
    assert {day: lived.written for day, lived in days.items()} == {day: lived.changed for day, lived in days.items()}


def test_the_days_are_what_they_are_meant_to_be(days: dict[int, Day]) -> None:
    assert days[QUIET].changed[RFM.name] == 0
    assert (BOB,) not in days[MERGED].rfm
    assert BOB not in days[MERGED].current
    assert (BOB,) in days[SPLIT].rfm
    assert BOB in days[SPLIT].current
    assert {version for _, version in days[RETRAINED - 1].current.values()} == {"1"}
    assert {version for _, version in days[RETRAINED].current.values()} == {"2"}
    assert any(0 < lived.changed[SEGMENT_ASSIGNMENTS.name] < CUSTOMERS for lived in days.values())
