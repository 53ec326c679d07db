from __future__ import annotations

from decimal import Decimal

from conf.tables.consents import CONSENTS
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.silver import profile_attributes_table
from jobs.lookup.profile import MASK, Asked, Found, Profile, put_together
from jobs.lookup.text import profile_text
from tests.jobs.lookup.few_rows import ANA, COOKIE, EVENT_ROWS, IDENTITY_ROWS, LINK_ROWS, PROJECT, day, row

ATTRIBUTES, SUMMARY = profile_attributes_table(PROJECT.profile), customer_360_table(PROJECT.profile)
TOLD = [{"attribute": "city", "source": "crm", "observed_at": day(3)}]
FOUND = Found(
    attributes=[row(ATTRIBUTES, profile_id=ANA, email="ana@example.com", city="Bonn", provenance=TOLD)],
    identifiers=IDENTITY_ROWS[:4][::-1],
    links=LINK_ROWS,
    customer_360=[row(SUMMARY, profile_id=ANA, profile_type="known", events=3, segment="VIP", email="ana@example.com")],
    rfm=[row(RFM, profile_id=ANA, last_purchase_at=day(6, 23), monetary=Decimal("9.50"))],
    scores=[row(RFM_SCORES, profile_id=ANA, rfm_cell="5-1-2")],
    consents=[row(CONSENTS, profile_id=ANA, channel=c, purpose="marketing", is_given=c == "email") for c in ("phone", "email")],
    segments=[row(SEGMENT_ASSIGNMENTS, profile_id=ANA, segment=s, valid_from=day(n)) for s, n in (("VIP", 9), ("New", 6))],
    events=EVENT_ROWS[2::-1],
)


def view(reveal: bool = False) -> Profile:
    return put_together(Asked("cookie_id", COOKIE, ANA), FOUND, PROJECT, as_of=day(9, 1), reveal=reveal)


def test_attributes_come_with_their_source_and_direct_ones_are_masked() -> None:
    assert view().attributes == [
        {"attribute": "email", "value": MASK, "source": None, "observed_at": None},
        {"attribute": "city", "value": "Bonn", "source": "crm", "observed_at": day(3)},
    ]


def test_identifiers_come_strongest_first_without_their_values() -> None:
    assert [(row["namespace"], row["value"]) for row in view().identifiers] == [
        ("crm_id", MASK),
        ("loyalty_id", "***01"),
        ("email", "a***@example.com"),
        ("cookie_id", MASK),
    ]


def test_what_the_summary_adds_up_is_activity_and_attributes_are_not_repeated() -> None:
    assert view().activity == {"events": 3}


def test_recency_is_whole_days_up_to_as_of() -> None:
    assert view().rfm["recency_days"] == 3


def test_consent_is_told_by_channel_and_purpose() -> None:
    assert [(row["channel"], row["is_given"]) for row in view().consent] == [("email", True), ("phone", False)]


def test_the_numbers_come_with_their_scores() -> None:
    assert (view().rfm["monetary"], view().rfm["rfm_cell"]) == (Decimal("9.50"), "5-1-2")


def test_segments_come_in_the_order_in_which_they_held() -> None:
    assert [row["segment"] for row in view().segments] == ["New", "VIP"]


def test_events_come_in_their_order_with_those_from_before_the_login() -> None:
    assert [(row["event_id"], row["known_by"]) for row in view().events] == [
        ("e1", "cookie_id"),
        ("e2", "loyalty_id"),
        ("e3", "crm_id"),
    ]


def test_no_direct_value_is_anywhere_unless_it_is_revealed() -> None:
    values = ("ana@example.com", "LC0001", "1042", "c-1")
    hidden, revealed = view(), view(reveal=True)
    assert [value for value in values if value in str(hidden) or value in profile_text(hidden)] == []
    assert [value for value in values if value not in str(revealed) or value not in profile_text(revealed)] == []


def test_a_value_of_another_profile_is_never_told() -> None:
    assert "d-1" not in str(view(reveal=True))


def test_nothing_known_is_an_empty_part_and_no_title() -> None:
    nothing = put_together(Asked("id", ANA, ANA), Found(), PROJECT, as_of=None)
    assert (nothing.attributes, nothing.rfm, nothing.events, nothing.profile_type) == ([], {}, [], None)
    assert "Attributes" not in profile_text(nothing)
