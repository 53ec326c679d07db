"""Every kind of uncleanliness that the sample promises is there, and no more of the real data is touched than that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from jobs.sample.digital import EVENT_TYPES
from jobs.sample.dirt import card_variants, is_real
from jobs.sample.households import Household, family_pairs
from jobs.sample.sessions import plan_sessions
from tests.jobs.sample.conftest import SEED, Landing

FIELDS = 14


@pytest.fixture(scope="module")
def till_lines(landing: Landing) -> list[list[str]]:
    return [line.split(",") for line in landing.lines("pos")]


def test_some_till_lines_come_again_word_for_word(landing: Landing) -> None:
    copies = Counter(line for line in landing.lines("pos") if not line.startswith("X"))
    keys = Counter(",".join(line.split(",")[:2]) for line in copies)
    assert max(copies.values()) == 2
    assert max(keys.values()) == 1


def test_no_till_file_holds_a_line_twice(landing: Landing) -> None:
    for path in (landing.root / "pos").iterdir():
        lines = path.read_text().splitlines()
        assert len(set(lines)) == len(lines), path.name


def test_tills_spell_cards_in_four_ways(till_lines: list[list[str]]) -> None:
    spelled = {re.sub("[0-9]", "0", fields[3]) for fields in till_lines}
    assert spelled == {re.sub("[0-9]", "0", variant) for variant in card_variants("LC001234")}


@pytest.mark.parametrize(
    "is_bad",
    [
        pytest.param(lambda fields: fields[4] == "two", id="quantity"),
        pytest.param(lambda fields: len(fields) == FIELDS and fields[9] == "", id="missing time"),
        pytest.param(lambda fields: len(fields) < FIELDS, id="too few fields"),
        pytest.param(lambda fields: len(fields) > 5 and fields[5] == "1.2.3", id="money"),
        pytest.param(lambda fields: len(fields) > 9 and "-02-30" in fields[9], id="impossible date"),
    ],
)
def test_bad_till_lines_of_each_kind_have_basket_ids_that_no_real_line_has(
    till_lines: list[list[str]], is_bad: Callable[[list[str]], bool]
) -> None:
    long_enough = [fields if len(fields) > 4 else [*fields, ""] for fields in till_lines]
    bad = [fields for fields in long_enough if is_bad(fields)]
    assert bad
    assert all(fields[0].startswith("X") for fields in bad)


def test_crm_rows_repeat_in_a_file_but_no_person_has_two_crm_ids(landing: Landing) -> None:
    rows = landing.crm().dropna(subset=["crm_id", "updated_at"])
    assert rows.duplicated().any()
    assert not rows.drop_duplicates().duplicated(["crm_id", "updated_at"]).any()
    cards = rows.assign(card=rows["card_number"].str.upper().str.replace(" ", ""))
    assert cards.groupby("card")["crm_id"].nunique().max() == 1


def test_crm_contact_data_are_untidy_and_have_placeholders(landing: Landing) -> None:
    rows = landing.crm().dropna(subset=["crm_id"])
    emails, phones = rows["email"].dropna(), rows["phone"].dropna()
    assert emails[emails != emails.str.lower()].any()
    assert emails[emails != emails.str.strip()].any()
    assert {re.sub("[0-9]", "0", phone) for phone in phones if is_real(phone)} >= {
        "+00000000000", "+0 (000) 000-0000", "000.000.0000", "(000) 000-0000", "0000000000", "0-000-000-0000"
    }  # fmt: skip
    assert not emails.map(is_real).all()
    assert not phones.map(is_real).all()


def test_some_crm_rows_have_no_id_or_no_time(landing: Landing) -> None:
    rows = landing.crm()
    assert rows["crm_id"].isna().any()
    assert rows["updated_at"].isna().any()


def test_digital_has_broken_lines_retries_and_late_events(landing: Landing) -> None:
    events = landing.events()
    assert len(events) < sum(1 for _ in landing.lines("digital"))
    assert any(event["ts"] == "yesterday" for event in events)
    assert any(count > 1 for count in Counter(event["event_id"] for event in events).values())
    assert any(
        path.stem > text.split('"ts": "')[1][:10]
        for path in (landing.root / "digital").iterdir()
        for text in path.read_text().splitlines()
        if '"ts": "2' in text
    )


def test_digital_is_never_a_purchase_and_leaves_out_what_does_not_apply(landing: Landing) -> None:
    events = [event for event in landing.events() if event["ts"] != "yesterday"]
    assert {event["event"] for event in events} == set(EVENT_TYPES)
    assert all(value is not None for event in events for value in event.values())
    assert all(("cookie_id" in event) == (event["channel"] == "web") for event in events)
    assert all(("device_id" in event) == (event["channel"] == "app") for event in events)


def test_visitors_log_in_later_or_never_or_as_nobody(landing: Landing) -> None:
    known: dict[str, list[str | None]] = {}
    for event in landing.events():
        if "cookie_id" in event:
            known.setdefault(event["cookie_id"], []).append(event.get("email"))
    assert any(emails[0] is None and emails[-1] is not None for emails in known.values())
    assert any(set(emails) == {None} for emails in known.values())
    assert any(not is_real(email.strip()) for emails in known.values() for email in emails if email is not None)


def test_callers_hide_their_number_or_are_unknown(landing: Landing) -> None:
    calls = [line.split(";") for line in landing.lines("calls")]
    assert {"anonymous", ""} <= {fields[2] for fields in calls}
    assert any(fields[2] and not fields[3] for fields in calls)
    assert any(fields[1] == "not recorded" for fields in calls)


def test_a_tablet_is_shared_by_two_households_that_the_crm_already_tells_apart(
    households: tuple[Household, ...],
) -> None:
    known_from = {household.household_id: household.known_from for household in households}
    sharing: dict[str, set[int]] = {}
    for session in plan_sessions(households, SEED):
        if session.shared and session.household is not None:
            sharing.setdefault(session.device, set()).add(session.household.household_id)
            assert all(known_from[one] < session.day for one in sharing[session.device])
    assert len(sharing) == len(family_pairs(households)) > 50
    assert {len(sharers) for sharers in sharing.values()} == {2}


def test_a_tablet_is_never_used_by_two_households_in_one_second(landing: Landing) -> None:
    cards: dict[tuple[str, str], set[str]] = {}
    for event in landing.events():
        if "card_number" in event:
            card = event["card_number"].upper().replace(" ", "")
            cards.setdefault((event["device_id"], event["ts"]), set()).add(card)
    assert {len(used) for used in cards.values()} == {1}


def test_lost_cards_are_replaced_and_the_crm_knows_the_new_one_the_same_day(households: tuple[Household, ...]) -> None:
    replaced = [household for household in households if len(household.cards) > 1]
    assert 30 < len(replaced) < 120
    assert all(household.replaced_on in household.crm_days for household in replaced)
