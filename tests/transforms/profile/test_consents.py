from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.profile import ProfileConfig
from conf.tables.consents import CONSENTS
from transforms.profile.consents import consent_statements, decide_consents, lapsing_statements

ROWS = "primary_identifier_id string, source string, observed_at timestamp, attributes map<string,string>"
CONFIGURED: list[dict[str, Any]] = [
    {"channel": "email", "purpose": "marketing", "attribute": "strict"},
    {"channel": "phone", "purpose": "marketing", "attribute": "last_word", "policy": "latest"},
    {"channel": "app", "purpose": "ads", "attribute": "lapsing", "given": ["Opt-In"], "valid_for": "10d"},
]
PROFILE = ProfileConfig.model_validate({"consents": CONFIGURED})
ATTRIBUTE_OF = {one["channel"]: one["attribute"] for one in CONFIGURED}
Told = tuple[str, str, int, str]

# What was told (identifier, source, day of January 2017, value), and what holds as of the 20th: given, source, day; or nothing.
CASES: list[tuple[str, list[Told], tuple[bool, str, int] | None]] = [
    ("email", [("card", "crm", 1, "true")], (True, "crm", 1)),
    ("email", [("card", "crm", 1, " YES ")], (True, "crm", 1)),
    ("email", [("card", "crm", 1, "perhaps")], (False, "crm", 1)),
    ("email", [("card", "crm", 1, "true"), ("card", "crm", 2, "")], (True, "crm", 1)),
    ("email", [("card", "crm", 1, " ")], None),
    ("email", [("card", "crm", 1, "false"), ("card", "crm", 2, "true")], (True, "crm", 2)),
    ("email", [("card", "crm", 1, "false"), ("card", "web", 2, "true")], (False, "crm", 1)),
    ("email", [("card", "crm", 1, "false"), ("mail", "crm", 2, "true")], (False, "crm", 1)),
    ("email", [("card", "crm", 1, "true"), ("mail", "web", 2, "true")], (True, "web", 2)),
    ("email", [("card", "crm", 1, "false"), ("card", "crm", 1, "true")], (False, "crm", 1)),
    ("phone", [("card", "crm", 1, "false"), ("mail", "web", 2, "true")], (True, "web", 2)),
    ("phone", [("card", "crm", 3, "false"), ("mail", "web", 2, "true")], (False, "crm", 3)),
    ("phone", [("card", "crm", 2, "false"), ("mail", "web", 2, "true")], (False, "crm", 2)),
    ("app", [("card", "crm", 11, "opt-in")], (True, "crm", 11)),
    ("app", [("card", "crm", 10, "opt-in")], None),
    ("app", [("card", "crm", 1, "opt-out")], (False, "crm", 1)),
    ("app", [("card", "crm", 1, "opt-out"), ("card", "crm", 5, "opt-in")], None),
]


def row(told: Told, attribute: str, person: str = "") -> tuple[Any, ...]:
    who, source, day, value = told
    return (f"{who}{person}", source, datetime(2017, 1, day, tzinfo=timezone.utc), {attribute: value})


def decided(spark: SparkSession, rows: list[tuple[Any, ...]], held: dict[str, str]) -> dict[tuple[str, str], Any]:
    """Per profile and channel: given, source, day."""
    statements = consent_statements(spark.createDataFrame(rows, ROWS), "observed_at", PROFILE)
    identities = spark.createDataFrame(list(held.items()), "identifier_id string, profile_id string")
    found = decide_consents(statements, identities, PROFILE, date(2017, 1, 20))
    assert found.columns == list(CONSENTS.column_names)
    shown = found.selectExpr("profile_id", "channel", "is_given", "source", "day(observed_at) as day").collect()
    return {(one.profile_id, one.channel): (one.is_given, one.source, one.day) for one in shown}


@pytest.mark.parametrize("turn", [1, -1], ids=["as they came", "the other way round"])
def test_what_was_told_decides_by_the_policy_in_any_order_of_arrival(spark: SparkSession, turn: int) -> None:
    rows = [row(told, ATTRIBUTE_OF[c], f" {n}") for n, (c, told, _) in enumerate(CASES) for told in told[::turn]]
    held = {f"{who} {n}": str(n) for n in range(len(CASES)) for who in ("card", "mail")}
    found = decided(spark, rows, held)
    assert [(channel, told, found.get((str(n), channel))) for n, (channel, told, _) in enumerate(CASES)] == CASES


def test_a_refusal_reaches_the_merged_profile_and_leaves_it_with_whose_it_was(spark: SparkSession) -> None:
    rows = [row(("card", "crm", 1, "true"), "strict"), row(("mail", "web", 2, "false"), "strict")]
    together = decided(spark, rows, {"card": "ann", "mail": "ann"})
    apart = decided(spark, rows, {"card": "ann", "mail": "bob"})
    assert together == {("ann", "email"): (False, "web", 2)}
    assert apart == {("ann", "email"): (True, "crm", 1), ("bob", "email"): (False, "web", 2)}


def test_statements_that_lapse_between_two_days_are_found(spark: SparkSession) -> None:
    rows = [row(("card", "crm", day, "opt-in"), "lapsing") for day in range(1, 9)]
    statements = consent_statements(spark.createDataFrame(rows, ROWS), "observed_at", PROFILE)
    lapsed = lapsing_statements(statements, PROFILE, date(2017, 1, 12), date(2017, 1, 14))
    assert sorted(one.day for one in lapsed.selectExpr("day(observed_at) as day").collect()) == [3, 4]
