from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from jobs.sample.dirt import PLACEHOLDERS
from jobs.sample.feed import Sighting
from jobs.sample.households import Household
from jobs.sample.sessions import plan_sessions
from jobs.sample.truth import true_persons, truth_text
from tests.jobs.sample.conftest import SEED, Landing


def test_a_cookie_is_somebody_of_its_own_until_a_login_is_delivered() -> None:
    sightings = [Sighting(0, 10, "cookie_id", "ck-1", None), Sighting(1, 20, "cookie_id", "ck-1", 7)]
    assert true_persons(sightings, 1) == {("cookie_id", "ck-1"): "anon:ck-1"}
    assert true_persons(sightings, 2) == {("cookie_id", "ck-1"): "household:7"}
    assert true_persons(reversed(sightings), 2) == {("cookie_id", "ck-1"): "household:7"}


def test_a_shared_device_belongs_to_whoever_logged_in_last_even_if_delivered_first() -> None:
    sightings = [
        Sighting(0, 30, "device_id", "dv-1", 7),
        Sighting(1, 20, "device_id", "dv-1", 8),
        Sighting(2, 40, "device_id", "dv-1", None),
    ]
    assert true_persons(sightings, 3) == {("device_id", "dv-1"): "household:7"}


def test_the_truth_is_sorted_text() -> None:
    assert truth_text({("phone", "2"): "household:1", ("email", "b"): "anon:x"}) == (
        "namespace,value,person\nemail,b,anon:x\nphone,2,household:1\n"
    )


def test_no_placeholder_is_anybody(landing: Landing) -> None:
    assert not {value for _, value in landing.truth()} & PLACEHOLDERS


def test_every_identifier_of_every_household_is_nobody_elses(households: tuple[Household, ...]) -> None:
    owned: list[str] = []
    for household in households:
        timelines: Iterable[str | None] = (value for _, value in chain(household.cards, household.emails, household.phones))
        owned += {value for value in timelines if value is not None and value not in PLACEHOLDERS}
        owned += [household.landline, f"crm {household.crm_id}"]
    assert len(set(owned)) == len(owned)


def test_the_truth_has_exactly_the_identifiers_that_were_delivered(landing: Landing) -> None:
    seen = {("loyalty_id", _card(line.split(",")[3])) for line in landing.lines("pos") if not line.startswith("X")}
    seen |= {("loyalty_id", _card(line.split(",")[0])) for line in landing.lines("redemptions")}
    seen |= {identifier for link in _links(landing) for identifier in link}
    assert set(landing.truth()) == seen


def test_in_the_deliveries_every_person_hangs_together(landing: Landing) -> None:
    """Following only links between identifiers of one person, each person is one component."""
    truth = landing.truth()
    root = {identifier: identifier for identifier in truth}

    def top(identifier: tuple[str, str]) -> tuple[str, str]:
        while root[identifier] != identifier:
            identifier = root[identifier]
        return identifier

    for link in _links(landing):
        for other in link[1:]:
            if truth[link[0]] == truth[other]:
                root[top(other)] = top(link[0])
    components = {(truth[identifier], top(identifier)) for identifier in truth}
    assert len(components) == len(set(truth.values()))


def test_only_a_shared_device_links_two_persons(landing: Landing, households: tuple[Household, ...]) -> None:
    truth = landing.truth()
    shared = {session.device for session in plan_sessions(households[:120], SEED) if session.shared}
    across = {other[1] for link in _links(landing) for other in link[1:] if truth[link[0]] != truth[other]}
    assert across
    assert across <= shared


def _card(text: str) -> str:
    return text.upper().replace(" ", "")


def _phone(text: str) -> str:
    return "+1" + "".join(letter for letter in text if letter.isdigit())[-10:]


_NORMALISE = {"loyalty_id": _card, "phone": _phone, "email": lambda text: text.strip().lower()}


def _links(landing: Landing) -> list[list[tuple[str, str]]]:
    """The identifiers of each usable row, normalised, without placeholders."""
    rows: list[dict[str, str | None]] = [
        {"crm_id": row.crm_id, "loyalty_id": row.card_number, "email": row.email, "phone": row.phone}
        for row in landing.crm().dropna(subset=["crm_id", "updated_at"]).itertuples()
    ]
    for event in landing.events():
        names = {"loyalty_id": "card_number", "email": "email", "device_id": "device_id", "cookie_id": "cookie_id"}
        rows.append({namespace: event.get(key) for namespace, key in names.items()})
    for line in landing.lines("calls"):
        fields = line.split(";")
        rows.append({"crm_id": fields[3], "phone": fields[2]})
    links = []
    for row in rows:
        real = [(name, text) for name, text in row.items() if text is not None and text.strip() not in PLACEHOLDERS]
        if real:
            links.append([(name, _NORMALISE.get(name, str)(text)) for name, text in real])
    return links
