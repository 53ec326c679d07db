"""Incremental = full: solving the scope of a change again, and nothing else, gives what solving everything gives.

The scope is computed here with plain sets, as its module describes it; that Spark computes the same one is tested in
``test_scope.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.identity import IdentityConfig
from tests.transforms.identity.drawn import LAST_DAY, configs, days, few_pairs, frame_of, more_pairs, some_links
from tests.transforms.identity.oracle import Link
from tests.transforms.identity.scenario import config_of, day, events_of, links_of
from transforms.identity.components import IDENTITY_COLUMNS, solve_identities
from transforms.identity.rules import Pair, ResolutionRules


@dataclass(frozen=True)
class Step:
    """What a run finds: links seen (again), links gone (by number), decisions and the day where they changed."""

    seen: list[Link] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    links: tuple[Pair, ...] | None = None
    unlinks: tuple[Pair, ...] | None = None
    today: int | None = None


@dataclass(frozen=True)
class Tables:
    """What is stored between runs."""

    rules: ResolutionRules
    links: dict[Pair, Link] = field(default_factory=dict)
    severed: dict[Pair, str | None] = field(default_factory=dict)
    identities: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(IDENTITY_COLUMNS)))


decisions = st.one_of(st.none(), st.none(), few_pairs)
small_steps = st.builds(
    Step,
    seen=some_links(most=2, pairs=more_pairs),
    gone=st.lists(st.integers(0, 30), max_size=2),
    links=decisions,
    unlinks=decisions,
    today=st.one_of(st.none(), days),
)


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(configs, some_links(most=20, pairs=more_pairs), few_pairs, st.lists(small_steps, min_size=1, max_size=4))
def test_after_any_changes_the_touched_part_solved_again_makes_the_whole(
    config: IdentityConfig, links: list[Link], decided: tuple[Pair, ...], steps: list[Step]
) -> None:
    check_runs(config, [Step(links, links=decided), *steps])


def test_the_neighbours_of_a_hub_that_is_none_any_more_come_along() -> None:
    config = config_of({}, device_id={"max_linked": 2})
    seen = links_seen("email: a, device_id: till\nemail: b, device_id: till\nemail: c, device_id: till")
    tables = check_runs(config, [Step(seen), Step(gone=[1])])
    assert set(tables.identities["profile_id"]) == {"email:a", "email:b"}


def test_a_decision_about_somebody_never_seen_holds_when_they_appear() -> None:
    decided = (("crm_id:Tom", "crm_id:Thomas"),)
    steps = [Step(links_seen("crm_id: Tom"), links=decided), Step(links_seen("crm_id: Thomas"))]
    tables = check_runs(config_of(), steps)
    assert set(tables.identities["profile_id"]) == {"crm_id:Thomas"}


def test_a_hub_beyond_the_scope_stays_one_although_its_other_links_are_not_read() -> None:
    config = config_of({}, device_id={"max_linked": 2})
    seen = links_seen("email: a, device_id: till\nemail: b, device_id: till\nemail: c, device_id: till")
    tables = check_runs(config, [Step(seen), Step(links_seen("email: a, cookie_id: 1"))])
    assert tables.severed["email:a", "device_id:till"] == "hub"


def links_seen(text: str) -> list[Link]:
    frame = links_of(events_of(text), config_of())
    return [Link(row.identifier_id, row.other_identifier_id, row.first_seen, row.last_seen) for row in frame.itertuples()]


def check_runs(config: IdentityConfig, steps: list[Step]) -> Tables:
    """Runs the steps one after the other; after each, what is stored is what a full solution would be."""
    tables = Tables(ResolutionRules(config, as_of=day(LAST_DAY)))
    for step in steps:
        tables = run(tables, step)
        identities, links = solve_identities(frame_of(list(tables.links.values())), tables.rules)
        pd.testing.assert_frame_equal(tables.identities, identities, check_dtype=False)
        assert tables.severed == severed_by_pair(links)
    return tables


def run(tables: Tables, step: Step) -> Tables:
    """One incremental run: change the links, solve the scope, replace what it holds."""
    stated = {"links": step.links, "unlinks": step.unlinks, "as_of": None if step.today is None else day(step.today)}
    rules = replace(tables.rules, **{name: value for name, value in stated.items() if value is not None})
    links = {pair: link for number, (pair, link) in enumerate(tables.links.items()) if number not in step.gone}
    for link in step.seen:
        links[link[:2]] = merged(link, links.get(link[:2]))
    scope = scope_of(changed_ids(tables, links, rules), links, tables, rules)
    touching = [link for pair, link in links.items() if not scope.isdisjoint(pair)]
    settled = [None if scope.issuperset(link[:2]) else tables.severed[link[:2]] for link in touching]
    frame = frame_of(touching).assign(settled=pd.Series(settled, dtype=object))
    solved, solved_links = solve_identities(frame, rules)
    beyond = tables.identities[~tables.identities["identifier_id"].isin(scope)]
    identities = pd.concat([part for part in (beyond, solved[solved["identifier_id"].isin(scope)]) if len(part)] or [solved])
    severed = {pair: why for pair, why in tables.severed.items() if pair in links}
    return Tables(
        rules,
        links,
        severed | severed_by_pair(solved_links),
        identities.sort_values("identifier_id", ignore_index=True),
    )


def merged(link: Link, known: Link | None) -> Link:
    if known is None:
        return link
    first, last = min(link.first_seen, known.first_seen), max(link.last_seen, known.last_seen)
    return Link(link.one, link.other, first, last, link.times + known.times)


def severed_by_pair(links: pd.DataFrame) -> dict[Pair, str | None]:
    return {(row.identifier_id, row.other_identifier_id): row.severed for row in links.itertuples()}


def changed_ids(tables: Tables, links: dict[Pair, Link], rules: ResolutionRules) -> set[str]:
    pairs = [pair for pair in {**tables.links, **links} if tables.links.get(pair) != links.get(pair)]
    pairs += {*rules.links} ^ {*tables.rules.links}
    pairs += {*rules.unlinks} ^ {*tables.rules.unlinks}
    pairs += [pair for pair, link in links.items() if expired(link, rules) != expired(link, tables.rules)]
    return {end for pair in pairs for end in pair}


def expired(link: Link, rules: ResolutionRules) -> bool:
    expiries = [rules.expiry(end.split(":", maxsplit=1)[0]) for end in link[:2]]
    return any(expiry is not None and link.last_seen < expiry for expiry in expiries)


def scope_of(changed: set[str], links: dict[Pair, Link], tables: Tables, rules: ResolutionRules) -> set[str]:
    changed = changed | {end for pair in rules.decided_links if not changed.isdisjoint(pair) for end in pair}
    hubs = set(tables.identities.loc[tables.identities["reason"] == "hub", "identifier_id"]) & changed
    freed = {hub for hub in hubs if not is_hub(hub, links.values(), rules)}
    seeds = changed | {end for pair in links if not freed.isdisjoint(pair) for end in pair}
    component_of = dict(zip(tables.identities["identifier_id"], tables.identities["component_id"], strict=True))
    components = {component_of[one] for one in seeds if one in component_of}
    return seeds | {one for one, component in component_of.items() if component in components}


def is_hub(one: str, links: Iterable[Link], rules: ResolutionRules) -> bool:
    near = {end for link in links if one in link[:2] and not expired(link, rules) for end in link[:2]} - {one}
    return len(near) > rules.config.namespace(one.split(":", maxsplit=1)[0]).max_linked
