from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.lake import Lake, changed_rows, version_of
from jobs.runtime.merge import merge
from tests.jobs.runtime.people import ANN, BOB, EVE, TABLE, counts, held, people

either_way = pytest.mark.parametrize("few", [False, True], ids=["written down", "held by the driver"])


def test_without_a_difference_there_is_no_commit(spark: SparkSession, lake: Lake) -> None:
    before = version_of(None, lake, TABLE.name)
    assert merge(spark, lake, TABLE, people(spark, EVE, BOB, ANN)) == counts()
    assert version_of(None, lake, TABLE.name) == before


@either_way
def test_maps_that_hold_the_same_in_another_order_do_not_differ(spark: SparkSession, lake: Lake, few: bool) -> None:
    def with_tags(entries: str) -> DataFrame:
        return people(spark, ANN, BOB, EVE).withColumn("tags", F.expr(f"map({entries})"))

    assert merge(spark, lake, TABLE, with_tags("'a', 'x', 'b', 'y'"), few=few) == counts(updated=3)
    assert merge(spark, lake, TABLE, with_tags("'b', 'y', 'a', 'x'"), few=few) == counts()
    assert merge(spark, lake, TABLE, with_tags("'b', 'y', 'a', 'z'"), few=few) == counts(updated=3)


@either_way
def test_a_merge_writes_only_what_differs(spark: SparkSession, lake: Lake, few: bool) -> None:
    before = version_of(None, lake, TABLE.name)
    moved, new = ("2", "Köln", "Bobby"), ("4", "Bonn", "Kim")
    assert merge(spark, lake, TABLE, people(spark, ANN, moved, new), few=few) == counts(inserted=1, updated=1, deleted=1)
    assert held(lake) == [ANN, moved, new]
    feed = changed_rows(spark, lake, TABLE.name, before, version_of(None, lake, TABLE.name))
    assert feed is not None
    assert sorted((row.id, row._change_type) for row in feed.collect()) == [
        ("2", "update_postimage"),
        ("2", "update_preimage"),
        ("3", "delete"),
        ("4", "insert"),
    ]


@either_way
def test_a_null_differs_from_a_value_and_not_from_a_null(spark: SparkSession, lake: Lake, few: bool) -> None:
    nameless = people(spark, ANN, BOB, ("3", "Köln", None))
    assert merge(spark, lake, TABLE, nameless, few=few) == counts(updated=1)
    assert merge(spark, lake, TABLE, nameless, few=few) == counts()


def test_insert_only_leaves_alone_what_is_there_and_what_is_missing(spark: SparkSession, lake: Lake) -> None:
    arriving = people(spark, ("1", "Köln", "Anna"), ("4", "Bonn", "Kim"))
    assert merge(spark, lake, TABLE, arriving, insert_only=True) == counts(inserted=1)
    assert held(lake) == [ANN, BOB, EVE, ("4", "Bonn", "Kim")]


def test_only_rows_within_the_scope_are_deleted(spark: SparkSession, lake: Lake) -> None:
    bonn = spark.createDataFrame([("Bonn",)], "town string")
    assert merge(spark, lake, TABLE, people(spark, ANN), scope=bonn, scope_keys=("town",)) == counts(deleted=1)
    assert held(lake) == [ANN, EVE]


def test_a_row_that_comes_into_the_scope_replaces_its_old_self(spark: SparkSession, lake: Lake) -> None:
    bonn = spark.createDataFrame([("Bonn",)], "town string")
    moved = ("3", "Bonn", "Eveline")
    assert merge(spark, lake, TABLE, people(spark, ANN, BOB, moved), scope=bonn, scope_keys=("town",)) == counts(updated=1)
    assert held(lake) == [ANN, BOB, moved]


def test_missing_rows_stay_where_they_are_not_to_be_deleted(spark: SparkSession, lake: Lake) -> None:
    moved = ("1", "Köln", "Annabel")
    assert merge(spark, lake, TABLE, people(spark, moved), delete_missing=False) == counts(updated=1)
    assert held(lake) == [moved, BOB, EVE]


def test_update_when_narrows_which_rows_may_be_replaced(spark: SparkSession, lake: Lake) -> None:
    arriving = people(spark, ("1", "Aachen", "Annabel"), ("2", "Trier", "Bobby"), EVE)
    assert merge(spark, lake, TABLE, arriving, update_when="s.town > t.town") == counts(updated=1)
    assert held(lake) == [ANN, ("2", "Trier", "Bobby"), EVE]
