"""Incremental = full = oracle: two hundred drawn graphs through the stage itself, batch by batch, ids included."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.identity import IdentityConfig
from conf.project import Project, load_project
from conf.tables.silver import EVENTS, IDENTITIES, IDENTITY_LINKS, IDENTITY_RULES, RECORDS
from jobs.resolve_identities import resolve_stage
from jobs.runtime.lake import Lake, append_rows, ensure_table, fetch, version_of
from jobs.runtime.merge import merge
from jobs.runtime.run_log import RunLog
from jobs.runtime.stage import Run, run_stage
from tests.transforms.identity.oracle import Answer, Link, solve_plainly
from tests.transforms.identity.scenario import day
from transforms.identity.rules import Pair, ResolutionRules

GRAPHS = 200
NAMESPACES = {"crm_id": 3, "email": 5, "device_id": 3, "cookie_id": 4}
"""Namespace -> how many of it a graph may hold: few, so that limits, hubs and ties are everywhere."""
TODAY = datetime(2017, 1, 31, tzinfo=timezone.utc)


def rules_with(email: int, device: int, total: int, lifetime: str | None = None) -> IdentityConfig:
    return IdentityConfig(
        namespaces=[
            {"name": "crm_id", "max_per_profile": 1},
            {"name": "email", "max_per_profile": email, "max_linked": 6},
            {"name": "device_id", "kind": "device", "max_linked": device},
            {"name": "cookie_id", "kind": "browser", "max_linked": 4, "expires_after": lifetime},
        ],
        max_identifiers_per_profile=total,
    )


@dataclass(frozen=True)
class Seen:
    """An event: what it carries, as ``namespace:value``, and the day."""

    carries: tuple[str, ...]
    day: int


@dataclass
class World:
    """What the lake should know: events by id, blocked identifiers, decisions, and what is declared."""

    config: IdentityConfig
    events: dict[str, Seen] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    decisions: dict[Pair, str] = field(default_factory=dict)
    today: datetime = TODAY

    def answer(self) -> Answer:
        """What the oracle says, graph by graph: it looks at every link for every link."""
        of_graph: dict[str, list[Link]] = {}
        for link in self._links():
            of_graph.setdefault(link.one[-3:], []).append(link)
        whole = Answer({}, {}, {})
        for graph, links in of_graph.items():
            for into, told in zip(whole, solve_plainly(links, self._rules(graph)), strict=True):
                into.update(told)
        return whole

    def _links(self) -> list[Link]:
        """What all events show, pair by pair."""
        ranks, pairs = self.config.ranks, dict[Pair, list[int]]()
        for event in self.events.values():
            usable = [one for one in event.carries if one not in self.blocked]
            usable.sort(key=lambda one: (ranks[one.split(":")[0]], one))
            for other in usable:
                pairs.setdefault((usable[0], other), []).append(event.day)
        return [Link(*pair, day(min(days)), day(max(days)), len(days)) for pair, days in pairs.items()]

    def _rules(self, graph: str) -> ResolutionRules:
        def decided(word: str) -> tuple[Pair, ...]:
            return tuple(pair for pair, held in self.decisions.items() if held == word and pair[0].endswith(graph))

        return ResolutionRules(self.config, decided("link"), decided("unlink"), as_of=self.today)


def draw_event(chance: random.Random, graph: int) -> Seen:
    every = [f"{name}:{number}-{graph:03d}" for name, most in NAMESPACES.items() for number in range(most)]
    return Seen(tuple(chance.sample(every, chance.choice([1, 2, 2, 2, 3]))), chance.randrange(30))


def rows_of(spark: SparkSession, world: World, ids: list[str]) -> Any:
    """Events as ingest writes them; an identifier's id is its name, so that the oracle reads it."""
    ranks = world.config.ranks
    data = []
    for event_id in ids:
        seen = world.events[event_id]
        ordered = sorted(seen.carries, key=lambda one: (ranks[one.split(":")[0]], one))
        identifiers = [(*one.split(":"), one, "blocked_value" if one in world.blocked else None) for one in ordered]
        primary = next((one for *_, one, blocked in identifiers if blocked is None), None)
        where = (event_id, "drawn", event_id, 1)
        data.append((*where, "page_view", day(seen.day), day(seen.day).date(), identifiers, primary))
    names = "event_id string, source string, row_hash string, row_ordinal int, event_type string, occurred_at timestamp, "
    names += "occurred_on date"
    kind = EVENTS.schema["identifiers"].dataType.simpleString()
    rows = spark.createDataFrame(data, f"{names}, identifiers {kind}, primary_identifier_id string")
    given = {**dict.fromkeys(EVENTS.column_names, "null"), **{name: name for name in rows.columns}}
    return rows.selectExpr(*(f"cast({given[c.name]} as {c.type.simpleString()}) as {c.name}" for c in EVENTS.columns))


def assert_as_the_oracle_says(lake: Lake, world: World) -> None:
    answer = world.answer()
    told = ("identifier_id", "profile_id", "component_id", "severed_from")
    held = fetch(None, lake, IDENTITIES.name, told).to_pylist()
    assert {row["identifier_id"]: row["profile_id"] for row in held} == answer.profile
    assert {row["identifier_id"]: row["component_id"] for row in held} == answer.component
    assert {row["identifier_id"]: row["severed_from"] for row in held} == answer.severed_from()
    links = fetch(None, lake, IDENTITY_LINKS.name, ("identifier_id", "other_identifier_id", "severed")).to_pylist()
    severed = {(row["identifier_id"], row["other_identifier_id"]): row["severed"] for row in links if row["severed"]}
    listed = {pair for pair, why in severed.items() if why == "blocked_value"}
    assert {other for _, other in listed} <= world.blocked
    assert {pair: why for pair, why in severed.items() if pair not in listed} == answer.severed


@pytest.fixture
def partitions(spark: SparkSession, request: pytest.FixtureRequest) -> Any:
    """Shuffles of exactly so many partitions."""
    settings = {"spark.sql.shuffle.partitions": str(request.param), "spark.sql.adaptive.coalescePartitions.enabled": "false"}
    before = {name: spark.conf.get(name) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    yield request.param
    for name, value in before.items():
        spark.conf.set(name, value)


@pytest.mark.parametrize("partitions", [1, 16], indirect=True)
def test_batches_in_any_order_late_hubs_decisions_and_edited_rules_give_what_the_oracle_says(
    spark: SparkSession, tmp_path: Path, partitions: int
) -> None:
    chance = random.Random(20170101)
    lake = Lake(str(tmp_path / "lake"))
    world = World(rules_with(email=2, device=4, total=7))
    project: Project = replace(load_project(), identity=world.config)
    run = Run(project, lake, "drawn", TODAY, RunLog(), lambda: spark, as_of=TODAY)
    for table in (EVENTS, RECORDS, IDENTITY_RULES):
        ensure_table(spark, lake, table)

    def deliver(ids: list[str]) -> None:
        merge(spark, lake, EVENTS, rows_of(spark, world, ids), delete_missing=False)

    def settled(now: Run) -> dict[str, Any]:
        outcome = run_stage(now, resolve_stage(now.project))
        assert_as_the_oracle_says(lake, world)
        return outcome.counts

    # The first half of every graph's events, drawn from all days.
    drawn = {f"{graph}-{number}": draw_event(chance, graph) for graph in range(GRAPHS) for number in range(10)}
    first = [one for one in drawn if int(one.split("-")[1]) < 5]
    world.events.update({one: drawn[one] for one in first})
    deliver(first)
    settled(run)
    # The rest for two graphs of three: older and newer events, hubs that are found late, and some events told anew.
    later = [one for one in drawn if one not in first and int(one.split("-")[0]) % 3]
    anew = {one: draw_event(chance, int(one.split("-")[0])) for one in first if chance.random() < 0.1}
    world.events.update({one: drawn[one] for one in later} | anew)
    deliver([*later, *anew])
    counts = settled(run)
    assert 0 < counts["identities"]["updated"] < len(world.events)
    # The same batch twice, and nothing at all.
    deliver(later)
    assert not run_stage(run, resolve_stage(project)).ran
    # People decide, in every fifth graph, and change their mind in some.
    decide(spark, lake, world, chance)
    settled(run)
    # Rules are edited: lower limits, smaller hubs, links that expire, and a value that is a placeholder from now on.
    world.config = rules_with(email=1, device=3, total=5, lifetime="12d")
    world.blocked = {f"email:0-{graph:03d}" for graph in range(0, GRAPHS, 4)}
    deliver([one for one, seen in world.events.items() if not world.blocked.isdisjoint(seen.carries)])
    edited = replace(run, project=replace(project, identity=world.config))
    settled(edited)
    # Days pass, and links expire without an event: only their ends are looked at.
    world.today = TODAY + timedelta(days=6)
    edited = replace(edited, as_of=world.today)
    assert 0 < settled(edited)["keys"] < len(world.events) / 2
    # Incremental = full: looking at everything again finds nothing to write.
    before = [version_of(None, lake, table.name) for table in (IDENTITIES, IDENTITY_LINKS)]
    settled(replace(edited, full_refresh=True))
    assert [version_of(None, lake, table.name) for table in (IDENTITIES, IDENTITY_LINKS)] == before


def decide(spark: SparkSession, lake: Lake, world: World, chance: random.Random) -> None:
    rows = []
    for graph in range(0, GRAPHS, 5):
        for minute, word in enumerate(chance.choices(["link", "unlink", "revoke"], k=2)):
            one, other = sorted(chance.sample([f"{name}:{number}-{graph:03d}" for name in NAMESPACES for number in (0, 1)], 2))
            world.decisions[one, other] = word
            moment = TODAY.replace(minute=minute)
            rows.append((one, other, one.split(":")[0], other.split(":")[0], word, "drawn", "nobody", moment, None, None))
    append_rows(spark, lake, IDENTITY_RULES, [dict(zip(IDENTITY_RULES.column_names, row, strict=True)) for row in rows])


def test_more_links_than_a_task_may_hold_come_out_the_same(spark: SparkSession, tmp_path: Path) -> None:
    chance = random.Random(20170102)
    lake = Lake(str(tmp_path / "lake"))
    world = World(rules_with(email=2, device=4, total=7))
    project = load_project()
    run = Run(replace(project, identity=world.config), lake, "drawn", TODAY, RunLog(), lambda: spark, as_of=TODAY)
    for table in (EVENTS, RECORDS, IDENTITY_RULES):
        ensure_table(spark, lake, table)
    for batch, most in enumerate((1_000, 40)):  # everything in one task, then what was touched in parts
        drawn = {f"{graph}-{batch}-{number}": draw_event(chance, graph) for graph in range(40) for number in range(6)}
        world.events.update(drawn)
        merge(spark, lake, EVENTS, rows_of(spark, world, list(drawn)), delete_missing=False)
        settings = project.settings.model_copy(update={"solve_in_one_task_up_to": most})
        run_stage(replace(run, project=replace(run.project, settings=settings)), resolve_stage(run.project))
        assert_as_the_oracle_says(lake, world)
