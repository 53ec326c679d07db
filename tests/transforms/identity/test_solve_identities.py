"""Whatever the graph: the solver says what the rule says, told once more in plain Python."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import BadInputError
from conf.tables.silver import SEVERED_KEPT
from tests.transforms.identity.drawn import IDS, LAST_DAY, frame_of, rules, some_links
from tests.transforms.identity.oracle import Answer, Link, solve_plainly
from tests.transforms.identity.scenario import config_of, day, events_of, links_from, links_of, severed_of
from transforms.identity.components import solve_identities
from transforms.identity.rules import ResolutionRules

DRAWN = settings(max_examples=300, deadline=None, derandomize=True, database=None)
FEWER = settings(DRAWN, max_examples=100)


def solve(links: list[Link], rules: ResolutionRules) -> Answer:
    return answer_of(*solve_identities(frame_of(links), rules))


def answer_of(identities: pd.DataFrame, links: pd.DataFrame) -> Answer:
    by_id = identities.set_index("identifier_id")
    return Answer(by_id["profile_id"].to_dict(), by_id["component_id"].to_dict(), severed_of(links))


@DRAWN
@given(some_links(), rules)
def test_solves_any_graph_as_the_rule_says(links: list[Link], rules: ResolutionRules) -> None:
    assert solve(links, rules) == solve_plainly(links, rules)


@FEWER
@given(some_links(), rules)
def test_an_identifier_tells_whose_links_to_it_are_not_followed(links: list[Link], rules: ResolutionRules) -> None:
    identities, _ = solve_identities(frame_of(links), rules)
    told = dict(zip(identities["identifier_id"], identities["severed_from"], strict=True))
    assert told == solve_plainly(links, rules).severed_from()


def test_of_a_hub_only_the_first_are_told() -> None:
    config = config_of(device_id={"max_linked": 3})
    identities, links = solve_identities(
        links_of(events_of("\n".join(f"email: {n}, device_id: till" for n in range(30))), config), ResolutionRules(config)
    )
    told = dict(zip(identities["identifier_id"], identities["severed_from"], strict=True))
    assert told["device_id:till"] == sorted(links["identifier_id"][links["severed"] == "hub"])[:SEVERED_KEPT]


def test_solves_thousands_of_graphs_at_once_as_each_alone() -> None:
    chance = random.Random(4)
    rules = ResolutionRules(config_of({"crm_id": 1, "email": 2}, max_identifiers_per_profile=6))
    graphs = [random_graph(chance, f"{number:04d}") for number in range(3000)]
    found = solve([link for graph in graphs for link in graph], rules)
    expected = [solve_plainly(graph, rules) for graph in graphs]
    assert found.profile == {one: profile for answer in expected for one, profile in answer.profile.items()}
    assert found.component == {one: component for answer in expected for one, component in answer.component.items()}
    assert found.severed == {link: why for answer in expected for link, why in answer.severed.items()}
    assert len(found.severed) > 1000


def random_graph(chance: random.Random, name: str) -> list[Link]:
    wanted = {tuple(chance.sample(IDS, 2)) for _ in range(chance.randint(1, 16))}
    times = [sorted((chance.randint(0, LAST_DAY), chance.randint(0, LAST_DAY))) for _ in wanted]
    ends = [[f"{one}-{name}" for one in pair] for pair in sorted(wanted)]
    return [Link(one, other, day(first), day(last)) for (one, other), (first, last) in zip(ends, times, strict=True)]


@FEWER
@given(some_links(), rules, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(links: list[Link], rules: ResolutionRules, chance: random.Random) -> None:
    shuffled = chance.sample(links, len(links))
    one, _ = solve_identities(frame_of(links), rules)
    other, _ = solve_identities(frame_of(shuffled), rules)
    pd.testing.assert_frame_equal(one, other)
    assert solve(links, rules) == solve(shuffled, rules)


@FEWER
@given(some_links(), rules)
def test_a_followed_link_is_inside_a_profile_and_one_severed_by_a_limit_is_between_two(
    links: list[Link], rules: ResolutionRules
) -> None:
    answer = solve(links, rules)
    for link in links:
        why = answer.severed.get((link.one, link.other))
        together = answer.profile[link.one] == answer.profile[link.other]
        assert together or why
        assert not (together and why and (why == "unlinked" or why.startswith("limit:")))


@FEWER
@given(some_links(), rules)
def test_no_profile_holds_more_than_it_may_unless_a_person_said_so(links: list[Link], rules: ResolutionRules) -> None:
    rules = ResolutionRules(rules.config, unlinks=rules.unlinks, as_of=rules.as_of)
    identities, _ = solve_identities(frame_of(links), rules)
    held = identities.groupby(["profile_id", "namespace"]).size()
    for (_, namespace), count in held.items():
        assert count <= (rules.config.namespace(namespace).max_per_profile or count)
    sizes = identities.groupby("profile_id").size()
    assert (sizes <= rules.config.max_identifiers_per_profile).all()


def test_the_name_of_a_profile_is_its_anchor_and_comes_back_when_a_merge_is_undone() -> None:
    config = config_of()
    before = "email: t, cookie_id: 1\nphone: 5, device_id: 2"
    merge = before + "\nemail: t, phone: 5"
    apart = profile_ids(before, ResolutionRules(config))
    assert apart == {"email:t": "email:t", "cookie_id:1": "email:t", "phone:5": "phone:5", "device_id:2": "phone:5"}
    assert set(profile_ids(merge, ResolutionRules(config)).values()) == {"email:t"}
    assert profile_ids(merge, ResolutionRules(config, unlinks=(("email:t", "phone:5"),))) == apart


def profile_ids(text: str, rules: ResolutionRules) -> dict[str, str]:
    identities, _ = solve_identities(links_of(events_of(text), rules.config), rules)
    return dict(zip(identities["identifier_id"], identities["profile_id"], strict=True))


def test_of_two_equally_strong_identifiers_the_one_seen_first_is_the_anchor_also_when_that_comes_to_light_late() -> None:
    rules = ResolutionRules(config_of())
    links = links_of(events_of("email: b, cookie_id: 1\nemail: a, cookie_id: 1"), rules.config)
    identities, _ = solve_identities(links, rules)
    assert set(identities["profile_id"]) == {"email:b"}
    late = links_of(events_of("email: b, cookie_id: 1\nemail: a, cookie_id: 1"), rules.config, days=[5, 3])
    identities, _ = solve_identities(late, rules)
    assert set(identities["profile_id"]) == {"email:a"}


def test_a_late_old_event_does_not_take_a_shared_browser_back() -> None:
    events = events_of("crm_id: Tom, cookie_id: 1\ncrm_id: Summer, cookie_id: 1\ncrm_id: Tom, cookie_id: 1")
    config = config_of()
    _, links = solve_identities(links_of(events, config, days=[1, 7, 4]), ResolutionRules(config))
    assert severed_of(links) == {("crm_id:Tom", "cookie_id:1"): "limit:crm_id"}


def test_links_of_a_namespace_expire_where_it_has_a_time_window() -> None:
    config = config_of(cookie_id={"expires_after": "30d"})
    links = links_of(events_of("email: a, cookie_id: 1\nemail: b, cookie_id: 2"), config, days=[1, 20])
    for as_of, expected in ((day(31), set()), (day(32), {("email:a", "cookie_id:1")})):
        _, solved = solve_identities(links, ResolutionRules(config, as_of=as_of))
        assert set(severed_of(solved)) == expected
        assert set(severed_of(solved).values()) <= {"expired"}


def test_a_hub_that_is_no_longer_seen_with_many_stops_being_one_when_its_links_expire() -> None:
    config = config_of(device_id={"expires_after": "30d", "max_linked": 1})
    events = events_of("email: a, device_id: 1\nemail: b, device_id: 1")
    links = links_of(events, config, days=[1, 20])
    _, before = solve_identities(links, ResolutionRules(config, as_of=day(25)))
    assert set(severed_of(before).values()) == {"hub"}
    _, after = solve_identities(links, ResolutionRules(config, as_of=day(40)))
    assert severed_of(after) == {("email:a", "device_id:1"): "expired"}


def test_says_of_each_identifier_why_it_is_there_and_when_and_how_often_it_was_seen() -> None:
    config = config_of(device_id={"max_linked": 1})
    events = events_of("crm_id: Tom, email: t\nemail: t\nemail: s, device_id: d\nemail: t, device_id: d\nphone: 5")
    identities, _ = solve_identities(links_of(events, config), ResolutionRules(config))
    told = {row.identifier_id: (row.reason, row.first_seen, row.last_seen, row.times) for row in identities.itertuples()}
    assert told == {
        "crm_id:Tom": ("anchor", day(0), day(0), 1),
        "email:t": ("linked", day(0), day(3), 3),
        "email:s": ("severed", day(2), day(2), 1),
        "device_id:d": ("hub", day(2), day(3), 2),
        "phone:5": ("alone", day(4), day(4), 1),
    }


def test_a_link_without_a_time_is_trusted_least_among_its_equals() -> None:
    links = links_from([
        ("crm_id:Tom", "cookie_id:1", None, None, 1),
        ("crm_id:Summer", "cookie_id:1", day(0), day(0), 1),
    ])  # fmt: skip
    identities, solved = solve_identities(links, ResolutionRules(config_of()))
    assert severed_of(solved) == {("crm_id:Tom", "cookie_id:1"): "limit:crm_id"}
    assert identities.set_index("identifier_id")["first_seen"].isna().to_dict()["crm_id:Tom"]


def test_no_links_are_no_identities() -> None:
    identities, links = solve_identities(links_from([]), ResolutionRules(config_of()))
    assert identities.empty
    assert links.empty


@pytest.mark.parametrize(
    ("one", "message"), [(None, "without an identifier_id"), ("fax:1", "namespace fax; declared are crm_id")]
)
def test_refuses_what_it_cannot_judge(one: str | None, message: str) -> None:
    links = links_from([("crm_id:Tom", "email:t", day(0), day(0), 1)])
    if one is None:
        links["other_identifier_id"] = pd.Series([None], dtype=object)
    else:
        links["other_namespace"] = "fax"
    with pytest.raises(BadInputError, match=message):
        solve_identities(links, ResolutionRules(config_of()))
