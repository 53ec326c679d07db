from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.profile import ProfileConfig
from transforms.profile.survivorship import surviving_attributes

RECORDS = "primary_identifier_id string, source string, observed_at timestamp, attributes map<string,string>"
Told = tuple[str, int, str]
POLICIES: dict[str, dict[str, Any]] = {
    "latest": {"policy": "latest"},
    "earliest": {"policy": "earliest"},
    "most_frequent": {"policy": "most_frequent"},
    "source_priority": {"policy": "source_priority", "sources": ["crm", "web"]},
    "number": {"policy": "latest", "type": "int"},
}
PROFILE = ProfileConfig.model_validate({"attributes": [{"name": name, **policy} for name, policy in POLICIES.items()]})

# What sources told of a value (source, day, value), and which one survives by the policy.
CASES: list[tuple[str, list[Told], Any]] = [
    ("latest", [("crm", 1, "old"), ("web", 3, "new"), ("crm", 2, "middle")], "new"),
    ("latest", [("crm", 1, "given"), ("web", 3, ""), ("web", 4, "  ")], "given"),
    ("latest", [("web", 1, "from web"), ("crm", 1, "from crm")], "from crm"),
    ("latest", [("crm", 1, "b"), ("crm", 1, "a")], "a"),
    ("earliest", [("crm", 2, "new"), ("web", 1, "old")], "old"),
    ("earliest", [("web", 1, "from web"), ("crm", 1, "from crm")], "from crm"),
    ("most_frequent", [("crm", 1, "often"), ("web", 2, "often"), ("crm", 3, "once")], "often"),
    ("most_frequent", [("crm", 1, "old"), ("web", 2, "new")], "new"),
    ("source_priority", [("web", 9, "second"), ("crm", 1, "first")], "first"),
    ("source_priority", [("crm", 1, "old"), ("crm", 2, "new"), ("web", 3, "second")], "new"),
    ("source_priority", [("erp", 9, "unlisted"), ("web", 1, "second")], "second"),
    ("source_priority", [("erp", 1, "unlisted")], "unlisted"),
    ("source_priority", [("crm", 2, " "), ("web", 1, "second")], "second"),
    ("number", [("crm", 1, "7")], 7),
    ("number", [("crm", 1, "7"), ("crm", 2, "seven")], None),
]


def survivors(spark: SparkSession, records: list[tuple[str, str, int, dict[str, str]]], held: dict[str, str]) -> dict[str, Any]:
    """Per profile its row, from records (identifier, source, day, attributes) and the profile of each identifier."""
    rows = [(who, source, datetime(2017, 1, day, tzinfo=timezone.utc), values) for who, source, day, values in records]
    identities = spark.createDataFrame(list(held.items()), "identifier_id string, profile_id string")
    told = surviving_attributes(spark.createDataFrame(rows, RECORDS), identities, PROFILE)
    return {
        row.profile_id: row for row in told.selectExpr("*", "transform(provenance, p -> day(p.observed_at)) as days").collect()
    }


@pytest.mark.parametrize("turn", [1, -1], ids=["as they came", "the other way round"])
def test_the_policy_decides_whose_value_survives_in_any_order_of_arrival(spark: SparkSession, turn: int) -> None:
    records = [
        (str(number), source, day, {policy: value})
        for number, (policy, told, _) in enumerate(CASES)
        for source, day, value in told[::turn]
    ]
    found = survivors(spark, records, {str(number): str(number) for number in range(len(CASES))})
    survived = [(policy, told, found[str(number)][policy]) for number, (policy, told, _) in enumerate(CASES)]
    assert survived == CASES


def test_identifiers_of_one_profile_tell_of_one_person(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"latest": "old", "earliest": "first"}), ("mail", "web", 2, {"latest": "new"})]
    found = survivors(spark, records, {"card": "ann", "mail": "ann"})
    assert [(row.profile_id, row.latest, row.earliest) for row in found.values()] == [("ann", "new", "first")]


def test_provenance_says_where_each_value_came_from(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"latest": "old", "earliest": "first"}), ("mail", "web", 2, {"latest": "new"})]
    row = survivors(spark, records, {"card": "ann", "mail": "ann"})["ann"]
    told = [(one.attribute, one.source, day) for one, day in zip(row.provenance, row.days, strict=True)]
    assert told == [("earliest", "crm", 1), ("latest", "web", 2)]


def test_what_nobody_declared_and_what_is_about_nobody_is_left_out(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"hobby": "chess"}), ("lost", "crm", 1, {"latest": "x"}), ("mail", "crm", 1, {"latest": "y"})]
    assert list(survivors(spark, records, {"card": "ann", "mail": "bob"})) == ["bob"]
