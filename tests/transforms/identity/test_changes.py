from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.lookup.question import holder_at
from transforms.identity.changes import dated_after, identity_changes

AS_OF = datetime(2017, 3, 1, tzinfo=timezone.utc)

CASES = {
    "an identifier that stays and one that is new are no changes": ("a=P b=P", "a=P b=P c=P", {}),
    "two profiles merge": ("a=P b=P c=Q", "a=P b=P c=P", {"c": ("Q", "P", "merged")}),
    "a profile splits": ("a=P b=P", "a=P b=b", {"b": ("P", "b", "split")}),
    "a tablet changes hands": ("a=P t=P b=Q", "a=P t=Q b=Q", {"t": ("P", "Q", "moved")}),
    "a guest registers": ("a=P b=P", "a=Q b=Q c=Q", {"a": ("P", "Q", "reanchored"), "b": ("P", "Q", "reanchored")}),
    "an identifier goes": ("a=P b=P", "a=P", {"b": ("P", None, "removed")}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_moved_and_why_when(spark: SparkSession, case: str) -> None:
    before, after, expected = CASES[case]
    changes = identity_changes(identities(spark, before), identities(spark, after), AS_OF).collect()
    assert {row.identifier_id: (row.from_profile_id, row.to_profile_id, row.reason) for row in changes} == expected


def test_a_change_is_dated_by_the_run(spark: SparkSession) -> None:
    changes = identity_changes(identities(spark, "a=P"), identities(spark, "a=Q"), AS_OF)
    assert changes.selectExpr("cast(changed_at AS string)").first()[0] == "2017-03-01 00:00:00"


MOVES = {
    "there and back at one moment": [(0, "P", "Q"), (0, "Q", "P")],
    "there, back and there again at one moment": [(0, "P", "Q"), (0, "Q", "P"), (0, "P", "Q")],
    "at an earlier moment than the former one": [(0, "P", "Q"), (-9, "Q", "R")],
    "away and nobody's": [(0, "P", "Q"), (0, "Q", None)],
}


@pytest.mark.parametrize("case", MOVES)
def test_an_identifier_is_followed_through_all_that_happened_to_it(spark: SparkSession, case: str) -> None:
    written = spark.createDataFrame([], CHANGE)
    moves = MOVES[case]
    for days, left, reached in moves:
        written = written.unionByName(dated_after(moved(spark, days, left, reached), written))
    rows = sorted((row.asDict() for row in written.collect()), key=lambda row: row["changed_at"])
    assert [(row["from_profile_id"], row["to_profile_id"]) for row in rows] == [(left, reached) for _, left, reached in moves]
    assert all(one["changed_at"] < other["changed_at"] for one, other in pairwise(rows))
    assert holder_at(moves[-1][2], rows, at=AS_OF.replace(tzinfo=None) - timedelta(days=1)) == "P"


def test_a_change_that_a_killed_run_wrote_is_not_written_twice(spark: SparkSession) -> None:
    assert dated_after(moved(spark, 0, "P", "Q"), moved(spark, 0, "P", "Q")).count() == 0


def test_who_goes_again_at_a_later_moment_is_written_again(spark: SparkSession) -> None:
    assert dated_after(moved(spark, 5, "P", None), moved(spark, 0, "P", None)).count() == 1


CHANGE = "identifier_id string, from_profile_id string, to_profile_id string, changed_at timestamp, reason string"


def moved(spark: SparkSession, days: int, left: str, reached: str | None) -> DataFrame:
    return spark.createDataFrame([("a", left, reached, AS_OF + timedelta(days=days), "moved")], CHANGE)


def identities(spark: SparkSession, text: str) -> DataFrame:
    return spark.createDataFrame([tuple(one.split("=")) for one in text.split()], "identifier_id string, profile_id string")
