from __future__ import annotations

import random
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.profile import ProfileConfig
from transforms.profile.survivorship import surviving_attributes, unfit_values

RECORDS = "primary_identifier_id string, source string, observed_at timestamp, attributes map<string,string>"
Told = tuple[str, int, str]
Record = tuple[str, str, int, dict[str, str]]
POLICIES: dict[str, dict[str, Any]] = {
    "latest": {"policy": "latest"},
    "earliest": {"policy": "earliest"},
    "most_frequent": {"policy": "most_frequent"},
    "most_frequent_then_earliest": {"policy": "most_frequent", "fall_back": "earliest"},
    "source_priority": {"policy": "source_priority", "sources": ["crm", "web"]},
    "source_priority_then_longest": {"policy": "source_priority", "sources": ["crm"], "fall_back": "longest"},
    "longest": {"policy": "longest"},
    "max": {"policy": "max", "type": "int"},
    "min": {"policy": "min", "type": "int"},
    "max_text": {"policy": "max"},
    "min_date": {"policy": "min", "type": "date"},
    "union": {"policy": "union"},
    "union_of_numbers": {"policy": "union", "type": "int"},
    "sum": {"policy": "sum", "type": "int"},
    "sum_of_money": {"policy": "sum", "type": "decimal(18,2)"},
    "number": {"policy": "latest", "type": "int"},
    "for_ten_days": {"policy": "latest", "valid_for": "10d"},
    "first_of_ten_days": {"policy": "earliest", "valid_for": "10d"},
    "erasable": {"policy": "latest", "empty": "erases"},
    "erasable_first": {"policy": "earliest", "empty": "erases"},
    "erasable_sum": {"policy": "sum", "type": "int", "empty": "erases"},
}


def profile_of(*names: str) -> ProfileConfig:
    return ProfileConfig.model_validate({"attributes": [{"name": name, **POLICIES[name]} for name in names]})


PROFILE, SMALL = profile_of(*POLICIES), profile_of("latest", "earliest", "sum")
AS_OF = date(2017, 1, 20)

# What sources told of a value (source, day of January 2017, value), and what survives by the policy as of the 20th.
CASES: list[tuple[str, list[Told], Any]] = [
    ("latest", [("crm", 1, "old"), ("web", 3, "new"), ("crm", 2, "middle")], "new"),
    ("latest", [("crm", 1, "given"), ("web", 3, ""), ("web", 4, "  ")], "given"),
    ("latest", [("web", 1, "from web"), ("crm", 1, "from crm")], "from crm"),
    ("latest", [("crm", 1, "b"), ("crm", 1, "a")], "a"),
    ("latest", [("crm", 1, "")], None),
    ("latest", [("crm", 25, "after as_of"), ("crm", 1, "before")], "after as_of"),
    ("earliest", [("crm", 2, "new"), ("web", 1, "old")], "old"),
    ("earliest", [("web", 1, "from web"), ("crm", 1, "from crm")], "from crm"),
    ("most_frequent", [("crm", 1, "often"), ("web", 2, "often"), ("crm", 3, "once")], "often"),
    ("most_frequent", [("crm", 1, "old"), ("web", 2, "new")], "new"),
    ("most_frequent_then_earliest", [("crm", 1, "old"), ("web", 2, "new"), ("web", 3, "new"), ("web", 4, "old")], "old"),
    ("source_priority", [("web", 9, "second"), ("crm", 1, "first")], "first"),
    ("source_priority", [("crm", 1, "old"), ("crm", 2, "new"), ("web", 3, "second")], "new"),
    ("source_priority", [("erp", 9, "unlisted"), ("web", 1, "second")], "second"),
    ("source_priority", [("erp", 1, "unlisted")], "unlisted"),
    ("source_priority", [("crm", 2, " "), ("web", 1, "second")], "second"),
    ("source_priority_then_longest", [("crm", 1, "Street 12"), ("crm", 2, "Str"), ("web", 3, "Street 12, Bonn")], "Street 12"),
    ("source_priority_then_longest", [("web", 3, "Str"), ("erp", 1, "Street 12")], "Street 12"),
    ("longest", [("crm", 1, "Annabelle"), ("web", 2, "Ann")], "Annabelle"),
    ("longest", [("crm", 1, "Anna"), ("web", 2, "Anne")], "Anne"),
    ("max", [("crm", 1, "9"), ("web", 2, "10")], 10),
    ("max", [("crm", 1, "nine"), ("web", 2, "8")], 8),
    ("min", [("crm", 1, "9"), ("web", 2, "10")], 9),
    ("max_text", [("crm", 1, "gold"), ("web", 2, "silver")], "silver"),
    ("min_date", [("crm", 1, "2016-05-01"), ("web", 2, "2015-12-31")], date(2015, 12, 31)),
    ("union", [("crm", 1, "tea"), ("web", 2, "coffee"), ("crm", 3, "tea"), ("crm", 4, "")], ["coffee", "tea"]),
    ("union", [("crm", 1, "")], None),
    ("union_of_numbers", [("crm", 1, "10"), ("web", 2, "9"), ("web", 3, "09")], [9, 10]),
    ("sum", [("crm", 1, "5"), ("crm", 2, "7"), ("web", 1, "10")], 17),
    ("sum", [("crm", 1, "2147483647"), ("web", 1, "1")], None),
    ("sum_of_money", [("crm", 1, "0.10"), ("web", 1, "0.20")], Decimal("0.30")),
    ("number", [("crm", 1, "7")], 7),
    ("number", [("crm", 1, "7"), ("crm", 2, "seven")], 7),
    ("number", [("crm", 2, "seven")], None),
    ("for_ten_days", [("crm", 11, "the tenth day")], "the tenth day"),
    ("for_ten_days", [("crm", 10, "the eleventh day")], None),
    ("for_ten_days", [("crm", 25, "after as_of")], "after as_of"),
    ("first_of_ten_days", [("crm", 9, "expired"), ("crm", 12, "first"), ("crm", 13, "second")], "first"),
    ("erasable", [("crm", 1, "given"), ("web", 2, "")], None),
    ("erasable", [("crm", 1, "given"), ("web", 1, "")], None),
    ("erasable", [("crm", 1, "given"), ("web", 2, " "), ("crm", 3, "given again")], "given again"),
    ("erasable_first", [("crm", 1, "old"), ("web", 2, ""), ("crm", 3, "third"), ("crm", 4, "fourth")], "third"),
    ("erasable_sum", [("crm", 1, "5"), ("web", 2, ""), ("web", 3, "4")], 4),
]


def survivors(
    spark: SparkSession, records: list[Record], held: dict[str, str], profile: ProfileConfig = PROFILE
) -> dict[str, Any]:
    """Per profile its row, from records (identifier, source, day, attributes) and the profile of each identifier."""
    rows = [(who, source, datetime(2017, 1, day, tzinfo=timezone.utc), values) for who, source, day, values in records]
    identities = spark.createDataFrame(list(held.items()), "identifier_id string, profile_id string")
    told = surviving_attributes(spark.createDataFrame(rows, RECORDS), identities, profile, AS_OF)
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
    values = [found[str(number)][policy] if str(number) in found else None for number, (policy, _, _) in enumerate(CASES)]
    survived = [(policy, told, value) for (policy, told, _), value in zip(CASES, values, strict=True)]
    assert survived == CASES


def test_identifiers_of_one_profile_tell_of_one_person(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"latest": "old", "earliest": "first"}), ("mail", "web", 2, {"latest": "new"})]
    found = survivors(spark, records, {"card": "ann", "mail": "ann"}, SMALL)
    assert [(row.profile_id, row.latest, row.earliest) for row in found.values()] == [("ann", "new", "first")]


def test_a_sum_adds_what_each_source_told_last_of_each_identifier(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"sum": "5"}), ("card", "crm", 2, {"sum": "7"}), ("card 2", "crm", 1, {"sum": "100"})]
    assert survivors(spark, records, {"card": "ann", "card 2": "ann"}, SMALL)["ann"]["sum"] == 107


def test_provenance_says_where_each_value_came_from(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"latest": "old", "earliest": "first"}), ("mail", "web", 2, {"latest": "new"})]
    row = survivors(spark, records, {"card": "ann", "mail": "ann"}, SMALL)["ann"]
    told = [(one.attribute, one.source, day) for one, day in zip(row.provenance, row.days, strict=True)]
    assert told == [("earliest", "crm", 1), ("latest", "web", 2)]


def test_what_nobody_declared_and_what_is_about_nobody_is_left_out(spark: SparkSession) -> None:
    records = [("card", "crm", 1, {"hobby": "chess"}), ("lost", "crm", 1, {"latest": "x"}), ("mail", "crm", 1, {"latest": "y"})]
    assert list(survivors(spark, records, {"card": "ann", "mail": "bob"}, SMALL)) == ["bob"]


def test_each_attribute_is_decided_once(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    """Values that rank by themselves as a minimum, which Spark makes before and after the shuffle; the others in an array."""
    profile, nobody = profile_of("latest", "earliest", "longest", "max", "union"), spark.createDataFrame([], RECORDS)
    held = spark.createDataFrame([], "identifier_id string, profile_id string")
    surviving_attributes(nobody, held, profile, AS_OF).explain("extended")
    physical = capsys.readouterr().out.partition("== Physical Plan ==")[2]
    assert (physical.count("min(best_"), physical.count("array_min(")) == (2 * 3, 2)


def test_values_that_do_not_fit_the_type_are_counted_by_source_and_attribute(spark: SparkSession) -> None:
    told = [("crm", "7"), ("crm", "seven"), ("web", "eight"), ("web", "nine"), ("web", "")]
    day = datetime(2017, 1, 1, tzinfo=timezone.utc)
    frame = spark.createDataFrame([("card", source, day, {"number": value}) for source, value in told], RECORDS)
    found = {(row.source, row.attribute, row["values"]) for row in unfit_values(frame, PROFILE).collect()}
    assert found == {("crm", "number", 1), ("web", "number", 2)}


# A few households' worth of records, with values that fit some attributes and not others, on few days so that ties are many.
VALUES = st.sampled_from(["", " ", "1", "2", "10", "ann", "annabelle", "2016-02-29", "0.10"])
RECORD = st.tuples(
    st.sampled_from(["card", "mail", "phone"]),
    st.sampled_from(["crm", "web", "erp"]),
    st.integers(8, 13),
    st.fixed_dictionaries({}, optional=dict.fromkeys(POLICIES, VALUES)),
)
PERSONS = st.lists(st.lists(RECORD, min_size=1, max_size=12), min_size=20, max_size=20)
APART = {"card": "ann", "mail": "bob", "phone": "bob"}


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(persons=PERSONS, seed=st.integers(0, 99))
def test_the_order_of_arrival_does_not_matter_and_a_split_gives_back_what_was(
    spark: SparkSession, persons: list[list[Record]], seed: int
) -> None:
    shuffled = [random.Random(seed).sample(records, len(records)) for records in persons]
    alone = [[record for record in records if APART[record[0]] == who] for records in persons for who in ("ann", "bob")]
    found = decided(spark, {"merged": persons, "shuffled": shuffled, "split": persons, "alone": alone})
    assert found["merged"] == found["shuffled"]
    assert found["split"] == found["alone"]


def decided(spark: SparkSession, ways: dict[str, list[list[Record]]]) -> dict[str, list[Any]]:
    """By way, the values of all profiles: of a person merged, of one split in two, and of two who never were one."""
    records, held = [], {}
    for way, persons in ways.items():
        for number, person in enumerate(persons):
            for who, source, day, told in person:
                identifier = f"{way} {number} {who}"
                records.append((identifier, source, day, told))
                profile = {"split": f"{2 * number + (APART[who] == 'bob')}"}.get(way, f"{number}")
                held[identifier] = f"{way} {profile}"
    rows = survivors(spark, records, held)
    return {
        way: sorted(str((name.split()[1], row[1:])) for name, row in rows.items() if name.startswith(f"{way} ")) for way in ways
    }
