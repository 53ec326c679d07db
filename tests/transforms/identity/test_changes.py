from __future__ import annotations

from datetime import datetime, timezone

import pytest
from pyspark.sql import DataFrame, SparkSession

from transforms.identity.changes import identity_changes

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


def identities(spark: SparkSession, text: str) -> DataFrame:
    return spark.createDataFrame([tuple(one.split("=")) for one in text.split()], "identifier_id string, profile_id string")
