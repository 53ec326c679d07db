from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from conf.errors import BadInputError
from jobs.lookup.question import Question, heir, holder_at, last_departure, read_question
from tests.jobs.lookup.few_rows import PROJECT, SALT, day, the_id

ANA = the_id("email", "ana@example.com")


@pytest.mark.parametrize("text", ["email:ana@example.com", "email: Ana@Example.COM "])
def test_an_identifier_is_read_as_ingest_reads_it(text: str) -> None:
    assert read_question(text, PROJECT.identity, SALT) == Question("email", ANA)


@pytest.mark.parametrize("text", [ANA, f" {ANA.upper()}"])
def test_an_id_is_taken_as_it_is(text: str) -> None:
    assert read_question(text, PROJECT.identity, SALT) == Question("id", ANA)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ana1042@example.com", "expected NAMESPACE:VALUE, with a namespace among crm_id, loyalty_id, email"),
        ("fax:1042", "expected NAMESPACE:VALUE"),
        ("email:Test@test.com", r"This email is a placeholder \(blocked_value in identity.yml\)"),
        ("phone:000-000-0000", r"This phone is a placeholder \(blocked_pattern"),
        (f"email:{'x' * 2000}@example.com", r"This email is a placeholder \(too_long"),
    ],
)
def test_a_question_that_can_be_nobodys_is_refused_without_its_value(text: str, told: str) -> None:
    with pytest.raises(BadInputError, match=told) as error:
        read_question(text, PROJECT.identity, SALT)
    assert "1042" not in str(error.value)
    assert "@" not in str(error.value)


def change(on: int, left: str, reached: str | None) -> dict[str, Any]:
    return {"from_profile_id": left, "to_profile_id": reached, "changed_at": day(on)}


@pytest.mark.parametrize(
    ("at", "holder"),
    [(None, "c"), (day(1), "a"), (day(5, 11), "a"), (day(5), "b"), (day(8), "b"), (day(9), "c")],
)
def test_the_first_change_after_a_time_says_whose_it_was_then(at: datetime | None, holder: str) -> None:
    assert holder_at("c", [change(9, "b", "c"), change(5, "a", "b")], at) == holder


def test_two_changes_at_one_time_are_read_in_the_order_in_which_they_hang_together() -> None:
    assert holder_at("c", [change(5, "b", "c"), change(5, "z", "b")], day(1)) == "z"


def test_an_identifier_that_is_gone_had_a_holder_before() -> None:
    assert [holder_at(None, [change(5, "a", None)], at) for at in (None, day(1), day(6))] == [None, "a", None]


def departed(own: str, to: str | None, on: int = 5) -> dict[str, Any]:
    return {"identifier_id": own, "to_profile_id": to, "changed_at": day(on)}


def test_a_profile_goes_on_where_its_last_identifiers_went_not_where_others_had_gone_before() -> None:
    left = [departed("c2", "z", 3), departed("e1", None), departed("c1", "b")]
    assert [last_departure(left, at) for at in (None, day(4), day(2))] == [left[2:], left[:1], []]
    assert last_departure([departed("c2", "z", 3), departed("e1", None)], None) == []
    behind = {**departed("e1", None), "changed_at": day(5) + timedelta(microseconds=1)}
    assert last_departure([left[0], behind, left[2]], None) == left[2:]


@pytest.mark.parametrize(
    ("departure", "to"),
    [
        ([("c1", "a"), ("c2", "a"), ("e1", "b")], "b"),
        ([("c1", "b"), ("c2", "a"), ("c3", "a")], "a"),
        ([("c1", "b"), ("c2", "a")], "a"),
        ([("unknown", "a"), ("c1", "b")], "b"),
    ],
)
def test_of_several_the_heir_has_the_strongest_identifier_or_else_most_of_them_or_else_the_smaller_id(
    departure: list[tuple[str, str]], to: str
) -> None:
    namespaces = {"e1": "email", "c1": "cookie_id", "c2": "cookie_id", "c3": "cookie_id"}
    found = heir([departed(*one) for one in departure], namespaces, PROJECT.identity.ranks)
    assert found is not None
    assert found["to_profile_id"] == to
