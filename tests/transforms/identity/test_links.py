from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from transforms.identity.links import blocked_identifiers, link_identifiers, sightings

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


def test_blocked_identifiers_link_nothing(spark: SparkSession) -> None:
    seen = sightings(rows(spark, ("!crm_id:0 email:t !phone:0", 1, "web"), ("!email:null", 2, "web"), ("", 3, "web")))
    assert pairs(seen) == [("email:t", "email:t")]


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


def test_blocked_identifiers_are_listed_with_their_reason(spark: SparkSession) -> None:
    events = rows(spark, ("email:t !phone:0", 1, "web"), ("!phone:0", 4, "crm"))
    (row,) = told(blocked_identifiers(events))
    assert (row.identifier_id, row.blocked, row.hours, row.times) == ("phone:0", "blocked_value", [1, 4], 2)
    assert row.sources == ["crm", "web"]
