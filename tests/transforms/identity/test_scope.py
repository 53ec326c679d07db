"""The scope that Spark finds is the one that has to be solved again."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.identity import IdentityConfig
from tests.transforms.identity.drawn import LAST_DAY, MORE_IDS, frame_of
from tests.transforms.identity.frames import ids_of, spark_identities, spark_links
from tests.transforms.identity.oracle import Link
from tests.transforms.identity.scenario import config_of, day, events_of, links_of, severed_of
from transforms.identity.components import solve_identities
from transforms.identity.resolve import identities_of, solve
from transforms.identity.resolve import links_of as solved_links
from transforms.identity.rules import Pair, ResolutionRules
from transforms.identity.scope import expired_between, links_in_scope, touched_scope, within

TILL = "email: a, device_id: till\nemail: b, device_id: till\nemail: c, device_id: till\nemail: c, cookie_id: 1\nphone: 5"


@pytest.fixture(scope="module")
def config() -> IdentityConfig:
    return config_of(device_id={"max_linked": 2}, cookie_id={"expires_after": "5d", "max_linked": 3})


def changed_ids(spark: SparkSession, *ids: str) -> DataFrame:
    return spark.createDataFrame([(one,) for one in ids], "identifier_id string")


def taken_apart(_name: str, rows: DataFrame) -> DataFrame:
    """The rows that were computed, with nothing of what they were computed from."""
    return rows.sparkSession.createDataFrame(rows.toArrow(), rows.schema)


def scope_after(
    spark: SparkSession,
    before: str,
    after: str,
    config: IdentityConfig,
    changed: list[str],
    links: tuple[Pair, ...] = (),
) -> list[str]:
    rules = ResolutionRules(config, links=links, as_of=day(4))
    identities, _ = solve_identities(links_of(events_of(before), config), rules)
    now = spark_links(spark, links_of(events_of(after), config))
    return ids_of(touched_scope(changed_ids(spark, *changed), now, spark_identities(spark, identities), rules))


def test_a_changed_identifier_brings_its_former_component(spark: SparkSession, config: IdentityConfig) -> None:
    assert scope_after(spark, TILL, TILL, config, ["cookie_id:1", "email:new"]) == [
        "cookie_id:1",
        "email:c",
        "email:new",
    ]


def test_a_hub_that_stays_one_brings_nobody(spark: SparkSession, config: IdentityConfig) -> None:
    assert scope_after(spark, TILL, TILL, config, ["device_id:till"]) == ["device_id:till"]


def test_a_hub_that_is_none_any_more_brings_its_neighbours_and_their_components(
    spark: SparkSession, config: IdentityConfig
) -> None:
    after = TILL.replace("email: a, device_id: till", "email: a")
    expected = ["cookie_id:1", "device_id:till", "email:a", "email:b", "email:c"]
    assert scope_after(spark, TILL, after, config, ["device_id:till", "email:a"]) == expected


def test_somebody_new_brings_whom_a_person_linked_them_with(spark: SparkSession, config: IdentityConfig) -> None:
    links = (("crm_id:Tom", "phone:5"),)
    assert scope_after(spark, TILL, TILL, config, ["crm_id:Tom"], links) == ["crm_id:Tom", "phone:5"]


def test_a_link_that_leads_out_of_the_scope_keeps_its_reason(spark: SparkSession, config: IdentityConfig) -> None:
    _, solved = solve_identities(links_of(events_of(TILL), config), ResolutionRules(config, as_of=day(4)))
    found = links_in_scope(spark_links(spark, solved), changed_ids(spark, "email:c", "cookie_id:1")).collect()
    assert {(row.identifier_id, row.other_identifier_id): row.settled for row in found} == {
        ("email:c", "email:c"): None,
        ("email:c", "cookie_id:1"): None,
        ("email:c", "device_id:till"): "hub",
    }


def test_links_cross_their_expiry_between_two_runs(spark: SparkSession, config: IdentityConfig) -> None:
    links = spark_links(spark, links_of(events_of("email: a, cookie_id: 1\nemail: b, cookie_id: 2\nemail: c"), config))
    assert ids_of(expired_between(links, config, day(5), day(6))) == ["cookie_id:1", "email:a"]
    assert ids_of(expired_between(links, config, day(6), day(5))) == ["cookie_id:1", "email:a"]
    assert ids_of(expired_between(links, config, day(5), day(5))) == []


def test_solving_the_scope_of_a_change_makes_the_whole(spark: SparkSession, config: IdentityConfig) -> None:
    chance = random.Random(7)
    names = [f"{number:03d}" for number in range(150)]
    links = {link[:2]: link for name in names for link in drawn_links(chance, name, 14)}
    decided = tuple((f"email:1-{name}", f"email:5-{name}") for name in names[::5])
    rules = ResolutionRules(config, links=decided, unlinks=(("email:2-003", "email:3-003"),), as_of=day(LAST_DAY))
    identities, solved = solve_identities(frame_of(list(links.values())), rules)
    severed = severed_of(solved)
    changed = change_some(chance, links, names[::3])

    now = frame_of(list(links.values()))
    now["severed"] = [severed.get(pair) for pair in links]
    all_links = spark_links(spark, now)
    scope = touched_scope(changed_ids(spark, *changed), all_links, spark_identities(spark, identities), rules)
    part = solve(links_in_scope(all_links, scope), rules)

    inside = set(ids_of(scope))
    taken = touched_scope(changed_ids(spark, *changed), all_links, spark_identities(spark, identities), rules, taken_apart)
    assert set(ids_of(taken)) == inside
    assert 0 < len(inside) < len(identities)
    expected, expected_links = solve_identities(now.drop(columns="severed"), rules)
    beyond = identities[~identities["identifier_id"].isin(inside)]
    found = {row.identifier_id: (row.profile_id, row.component_id, row.reason, row.times) for row in
             within(identities_of(part), scope).collect()}  # fmt: skip
    assert {**answers(beyond), **found} == answers(expected)
    kept = {pair: severed.get(pair) for pair in links}
    solved_again = {(row.identifier_id, row.other_identifier_id): row.severed for row in solved_links(part).collect()}
    assert {pair: why for pair, why in {**kept, **solved_again}.items() if why} == severed_of(expected_links)


def drawn_links(chance: random.Random, name: str, most: int) -> list[Link]:
    pairs = sorted({tuple(chance.sample(MORE_IDS, 2)) for _ in range(most)})
    days = [chance.randint(0, LAST_DAY) for _ in pairs]
    return [Link(f"{a}-{name}", f"{b}-{name}", day(0), day(last)) for (a, b), last in zip(pairs, days, strict=True)]


def change_some(chance: random.Random, links: dict[Pair, Link], names: list[str]) -> set[str]:
    """Takes a link away from each named graph, and sees another one; gives the ends of both."""
    pairs = []
    for name in names:
        gone = chance.choice([pair for pair in links if pair[0].endswith(name)])
        del links[gone]
        (seen,) = drawn_links(chance, name, 1)
        links[seen[:2]] = seen
        pairs += [gone, seen[:2]]
    return {end for pair in pairs for end in pair}


def answers(identities: pd.DataFrame) -> dict[str, tuple[str, str, str, int]]:
    return {row.identifier_id: (row.profile_id, row.component_id, row.reason, row.times) for row in identities.itertuples()}
