from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from transforms.identity.links import link_identifiers, sightings

IDENTIFIERS = "array<struct<namespace:string,value:string,identifier_id:string,blocked:string>>"


def rows(spark: SparkSession, *events: tuple[str, int | None, str]) -> DataFrame:
    """Events such as ``email:t !phone:0``; a ``!`` marks a blocked identifier."""
    data = [([parsed(one) for one in text.split()], hour and at(hour), source) for text, hour, source in events]
    return spark.createDataFrame(data, f"identifiers {IDENTIFIERS}, seen_at timestamp, source string")


def parsed(text: str) -> tuple[str, str, str, str | None]:
    namespace, value = text.strip("!").split(":")
    return namespace, value, f"{namespace}:{value}", "blocked_value" if text.startswith("!") else None


def at(hour: int) -> datetime:
    return datetime(2017, 1, 1, hour, tzinfo=timezone.utc)


def pairs(frame: DataFrame) -> list[tuple[str, str]]:
    return sorted((row.identifier_id, row.other_identifier_id) for row in frame.collect())


def test_a_row_links_its_primary_identifier_to_itself_and_to_each_other_one(spark: SparkSession) -> None:
    seen = sightings(rows(spark, ("crm_id:1 email:t cookie_id:c", 1, "web")))
    assert pairs(seen) == [("crm_id:1", "cookie_id:c"), ("crm_id:1", "crm_id:1"), ("crm_id:1", "email:t")]


def test_blocked_identifiers_are_never_whom_a_row_is_about(spark: SparkSession) -> None:
    seen = sightings(rows(spark, ("!crm_id:0 email:t !phone:0", 1, "web"), ("!email:null", 2, "web"), ("", 3, "web")))
    assert pairs(seen) == [("email:t", "crm_id:0"), ("email:t", "email:t"), ("email:t", "phone:0")]


def test_links_say_when_how_often_and_where_they_were_seen(spark: SparkSession) -> None:
    events = rows(
        spark,
        ("email:t cookie_id:c", 5, "web"),
        ("email:t cookie_id:c", 2, "app"),
        ("email:t cookie_id:c", None, "web"),
        ("email:s", 3, "app"),
    )
    links = {(row.identifier_id, row.other_identifier_id): row for row in told(link_identifiers(sightings(events)))}
    assert set(links) == {("email:t", "email:t"), ("email:t", "cookie_id:c"), ("email:s", "email:s")}
    link = links["email:t", "cookie_id:c"]
    assert (link.hours, link.times, link.sources) == ([2, 5], 3, ["app", "web"])
    assert (link.namespace, link.value, link.other_namespace, link.other_value) == ("email", "t", "cookie_id", "c")


def told(links: DataFrame) -> list[Any]:
    """The links, with the hours of their times."""
    return links.selectExpr("*", "array(hour(first_seen), hour(last_seen)) AS hours").collect()


def test_blocked_identifiers_are_listed_with_whom_they_came_with_and_why(spark: SparkSession) -> None:
    events = rows(spark, ("email:t !phone:0", 1, "web"), ("!phone:0", 4, "crm"), ("email:t !phone:0", 2, "crm"))
    listed = {row.other_identifier_id: row for row in told(link_identifiers(sightings(events)))}
    assert {one: row.blocked for one, row in listed.items()} == {"email:t": None, "phone:0": "blocked_value"}
    row = listed["phone:0"]
    assert (row.identifier_id, row.hours, row.times, row.sources) == ("email:t", [1, 2], 2, ["crm", "web"])


def test_a_pair_that_only_some_rows_show_blocked_is_a_link_of_the_other_rows(spark: SparkSession) -> None:
    events = rows(spark, ("email:t !phone:5", 1, "web"), ("email:t phone:5", 3, "crm"))
    (row,) = (row for row in told(link_identifiers(sightings(events))) if row.other_identifier_id == "phone:5")
    assert (row.blocked, row.hours, row.times, row.sources) == (None, [3, 3], 1, ["crm"])


def test_links_are_the_same_where_the_names_of_the_sources_are_known(spark: SparkSession) -> None:
    told_by = [("email:t phone:5", 1, source) for source in ("web", "app", "crm", "web")]
    seen = sightings(rows(spark, *told_by, ("email:t !phone:5", 2, "till"), ("email:t !phone:0", None, "till")))
    found = sorted(link_identifiers(seen, ("till", "web", "app", "crm")).collect())
    assert found == sorted(link_identifiers(seen).collect())
    assert {row.other_identifier_id: row.sources for row in found} == {
        "email:t": ["app", "crm", "till", "web"],
        "phone:5": ["app", "crm", "web"],
        "phone:0": ["till"],
    }
