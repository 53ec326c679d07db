"""Records on their way into matching, and matches on their way into the graph."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.identity import IdentityConfig
from conf.tables.silver import RECORD_MATCHES
from transforms.identity.links import link_identifiers
from transforms.identity.matching import about, comparable_records, match_sightings, matches_of, sharing_a_block

CONFIG = IdentityConfig.model_validate(
    {
        "namespaces": [{"name": "crm_id"}, {"name": "email"}, {"name": "match"}],
        "blocked": {"values": ["unknown"], "namespaces": {"match": {"values": ["nomen"]}, "email": {"values": ["tom"]}}},
        "matching": {
            "threshold": 0.9,
            "block_on": [["name"], ["town", "street"]],
            "compare": [{"attribute": "name", "method": "name"}, {"attribute": "town", "method": "text"}],
            "training": {"certain": [["name", "town"]]},
        },
    }
)
assert CONFIG.matching is not None
MATCHING = CONFIG.matching
RECORDS = (
    "source string, record_id string, observed_at timestamp, attributes map<string,string>, primary_identifier_id string, "
    "identifiers array<struct<namespace:string,value:string,identifier_id:string,blocked:string>>"
)
PEOPLE = "identifier_id string, namespace string, value string, seen_at timestamp, name string, street string, town string"


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=timezone.utc)


def records(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    """Records of ``crm_id: 1`` that tell attributes, unless a row says otherwise."""
    mine = {"namespace": "crm_id", "value": "1", "identifier_id": "one", "blocked": None}
    filled = [
        {"source": "crm", "record_id": str(number), "primary_identifier_id": "one", "identifiers": [mine], **row}
        for number, row in enumerate(rows)
    ]
    return spark.createDataFrame([tuple(row[n] for n in _names(RECORDS)) for row in filled], RECORDS)


def _names(schema: str) -> list[str]:
    return [part.split()[0] for part in schema.split(", ")]


def compared(spark: SparkSession, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = comparable_records(records(spark, *rows), CONFIG)
    assert found.columns == ["identifier_id", "namespace", "value", "seen_at", *MATCHING.attributes]
    return [tuple(row)[4:] for row in found.collect()]


def test_of_each_attribute_the_latest_value_that_is_one_is_compared(spark: SparkSession) -> None:
    early = {"observed_at": day(1), "attributes": {"name": "Ana", "town": "Porto", "street": "High"}}
    late = {"observed_at": day(2), "attributes": {"name": " ", "town": "Lisboa"}}
    assert compared(spark, late, early) == compared(spark, early, late) == [("ana", "high", "lisboa")]


def test_of_two_values_at_one_time_the_source_decides(spark: SparkSession) -> None:
    crm = {"observed_at": day(1), "attributes": {"name": "Ana"}}
    shop = {"observed_at": day(1), "attributes": {"name": "Anna"}, "source": "shop"}
    assert compared(spark, crm, shop) == compared(spark, shop, crm) == [("anna", None, None)]


@pytest.mark.parametrize(
    ("given", "is_compared"),
    [("  Ana\t Maria\u00a0", "ana maria"), ("", None), ("Unknown", None), ("NOMEN", None), ("Tom", "tom"), ("x" * 1025, None)],
)
def test_placeholders_are_no_values(spark: SparkSession, given: str, is_compared: str | None) -> None:
    assert compared(spark, {"observed_at": day(1), "attributes": {"name": given}}) == [(is_compared, None, None)]


def test_a_record_about_nobody_is_not_compared(spark: SparkSession) -> None:
    nobody = {"primary_identifier_id": None, "identifiers": [], "observed_at": day(1), "attributes": {"name": "Ana"}}
    assert compared(spark, nobody) == []


def test_a_person_is_as_recent_as_their_latest_record(spark: SparkSession) -> None:
    found = comparable_records(records(spark, *({"observed_at": day(n), "attributes": {}} for n in (3, 5, 4))), CONFIG)
    ((identifier_id, namespace, value, micros),) = found.selectExpr(
        "identifier_id", "namespace", "value", "unix_micros(seen_at)"
    ).collect()
    assert (identifier_id, namespace, value, micros) == ("one", "crm_id", "1", int(day(5).timestamp()) * 1_000_000)


def people(spark: SparkSession, *rows: tuple[str, str | None, str | None, str | None]) -> DataFrame:
    filled = [(identifier, "crm_id", identifier, day(1), *attributes) for identifier, *attributes in rows]
    return spark.createDataFrame(filled, PEOPLE)


def test_changed_people_meet_those_for_whom_a_whole_rule_holds(spark: SparkSession) -> None:
    everybody = people(
        spark,
        ("changed", "ana", "high", "porto"),
        ("same name", "ana", None, None),
        ("same street and town", None, "high", "porto"),
        ("same town only", "tom", "low", "porto"),
        ("nothing", None, None, None),
    )
    changed = spark.createDataFrame([("changed",), ("gone",)], "identifier_id string")
    found = {row.identifier_id: row.changed for row in sharing_a_block(everybody, changed, MATCHING).collect()}
    assert found == {"changed": True, "same name": False, "same street and town": False}


def matches(spark: SparkSession) -> DataFrame:
    pairs = [("a", "b", 0.97, [("name", 7.5)])]
    scored = spark.createDataFrame(
        pairs,
        "identifier_id string, other_identifier_id string, score double, evidence array<struct<attribute:string,weight:double>>",
    )
    given = people(spark, ("a", "ana", None, None), ("b", "anna", None, None), ("c", None, None, None))
    return matches_of(scored, given, spark.createDataFrame([("salt",)], "salt string"), "model 1", CONFIG)


def test_a_match_is_an_identifier_of_its_own_with_its_score_and_model(spark: SparkSession) -> None:
    found = matches(spark)
    assert found.columns == list(RECORD_MATCHES.column_names)
    (match,) = found.collect()
    assert (match.value, match.other_value, match.score, match.model) == ("a", "b", 0.97, "model 1")
    assert len(match.match_id) == 32


def test_a_match_links_both_ends_to_itself_and_names_where_it_comes_from(spark: SparkSession) -> None:
    links = link_identifiers(match_sightings(matches(spark))).orderBy("identifier_id").collect()
    assert [(x.identifier_id, x.other_namespace, x.other_value, x.times, x.sources, x.blocked) for x in links] == [
        ("a", "match", "a-b", 1, ["match-records"], None),
        ("b", "match", "a-b", 1, ["match-records"], None),
    ]


def test_the_matches_about_somebody_are_found_at_either_end_and_once(spark: SparkSession) -> None:
    def found(*changed: str) -> int:
        return about(matches(spark), spark.createDataFrame([(x,) for x in changed], "identifier_id string")).count()

    assert (found("a"), found("b"), found("a", "b"), found("c")) == (1, 1, 1, 0)
