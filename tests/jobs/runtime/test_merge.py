from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.tables.contract import Column, Table
from jobs.runtime.lake import Lake, append, changed_rows, fetch, version_of
from jobs.runtime.merge import days_of, merge, on_days
from tests.jobs.runtime.people import ANN, BOB, EVE, TABLE, Person, counts, held, people

MOVED, NEW = ("2", "Köln", "Bobby"), ("4", "Bonn", "Kim")
BOB_MOVED_EVE_LEFT_AND_KIM_CAME = [("2", "update_postimage"), ("2", "update_preimage"), ("3", "delete"), ("4", "insert")]
either_way = pytest.mark.parametrize("few", [False, True], ids=["written down", "held by the driver"])


def fed(spark: SparkSession, lake: Lake, before: int) -> list[tuple[str, str]]:
    """Who is in the change feed since a version, and as what."""
    feed = changed_rows(spark, lake, TABLE.name, before, version_of(None, lake, TABLE.name))
    assert feed is not None
    return sorted((row.id, row._change_type) for row in feed.collect())


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
    assert merge(spark, lake, TABLE, people(spark, ANN, MOVED, NEW), few=few) == counts(inserted=1, updated=1, deleted=1)
    assert held(lake) == [ANN, MOVED, NEW]
    assert fed(spark, lake, before) == BOB_MOVED_EVE_LEFT_AND_KIM_CAME


@either_way
@pytest.mark.parametrize(
    ("table", "arriving", "commits"),
    [
        (TABLE, [ANN, MOVED, EVE, NEW], ["MERGE", "WRITE"]),
        (TABLE, [ANN, MOVED, NEW], ["MERGE"]),
        (TABLE, [ANN, MOVED, EVE], ["MERGE"]),
        (replace(TABLE, history=True), [ANN, MOVED, EVE, NEW], ["MERGE"]),
    ],
    ids=["new rows apart", "not where rows are deleted", "none are new", "not in a history"],
)
def test_in_a_large_table_new_rows_are_a_commit_of_their_own(
    spark: SparkSession,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    few: bool,
    table: Table,
    arriving: list[Person],
    commits: list[str],
) -> None:
    monkeypatch.setattr("jobs.runtime.merge.LARGE", 3)
    before = version_of(None, lake, TABLE.name)
    merge(spark, lake, table, people(spark, *arriving), few=few)
    assert held(lake) == sorted(arriving)
    history = DeltaTable(f"{lake.root}/{TABLE.name.replace('.', '/')}").history()
    assert [commit["operation"] for commit in reversed(history) if commit["version"] > before] == commits


def test_new_rows_that_a_killed_run_did_not_write_are_written_by_the_next(
    spark: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.runtime.merge.LARGE", 3)
    with monkeypatch.context() as killed:
        killed.setattr("jobs.runtime.merge.append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            merge(spark, lake, TABLE, people(spark, ANN, MOVED, EVE, NEW))
    assert held(lake) == [ANN, MOVED, EVE]
    assert merge(spark, lake, TABLE, people(spark, ANN, MOVED, EVE, NEW)) == counts(inserted=1)
    assert held(lake) == [ANN, MOVED, EVE, NEW]


@pytest.mark.parametrize("marked", [False, True], ids=["written anew", "marked"])
def test_where_a_table_says_so_replaced_rows_are_marked_and_the_others_of_their_file_not_written_again(
    spark: SparkSession, tmp_path: Path, marked: bool
) -> None:
    lake, table = Lake(str(tmp_path)), replace(TABLE, deletion_vectors=marked)
    merge(spark, lake, table, people(spark, ANN, BOB, EVE).coalesce(1))
    before = version_of(None, lake, table.name)
    merge(spark, lake, table, people(spark, ANN, MOVED, NEW))
    (last,) = DeltaTable(f"{lake.root}/silver/people").history(1)
    assert last["operationMetrics"]["numTargetRowsCopied"] == ("0" if marked else "1")
    assert held(lake) == [ANN, MOVED, NEW], "delta-rs leaves marked rows out"
    assert fed(spark, lake, before) == BOB_MOVED_EVE_LEFT_AND_KIM_CAME


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


SALES = Table(
    name="silver.sales",
    comment="Sales by till and day, for the tests' sake",
    columns=(
        Column("till", T.StringType(), "Till", nullable=False),
        Column("day", T.DateType(), "Day", nullable=False),
        Column("sold", T.IntegerType(), "Sold"),
    ),
    keys=("till", "day"),
)


def test_few_rows_of_a_day_are_merged_without_a_look_at_files_of_other_days(spark: SparkSession, tmp_path: Path) -> None:
    lake, monday, tuesday = Lake(str(tmp_path)), date(2024, 1, 1), date(2024, 1, 2)

    def sales(*rows: tuple[str, date, int]) -> DataFrame:
        return spark.createDataFrame(list(rows), SALES.schema)

    merge(spark, lake, SALES, sales(("a", monday, 1), ("b", monday, 2)).coalesce(1))
    written = set(DeltaTable(f"{tmp_path}/silver/sales").file_uris())
    append(lake, SALES, sales(("a", tuesday, 3), ("b", tuesday, 4)).coalesce(1))
    for file in written:  # reading it would be an error
        Path(file).unlink()
    keys = spark.createDataFrame([("a", tuesday), ("c", tuesday)], "till string, day date")
    anew = sales(("a", tuesday, 5), ("c", tuesday, 6))
    found = merge(spark, lake, SALES, anew, scope=keys, scope_keys=SALES.keys, few=True, days=[tuesday])
    assert found == counts(inserted=1, updated=1)
    of_tuesday = fetch(None, lake, SALES.name, ("till", "sold"), f"day = '{tuesday}'").to_pylist()
    assert sorted(tuple(row.values()) for row in of_tuesday) == [("a", 5), ("b", 4), ("c", 6)]


@pytest.mark.parametrize(("few", "days", "expected"), [(True, 2, {0, 1}), (False, 2, {0, 1, 2, 3}), (True, 101, {0, 1, 2, 3})])
def test_only_few_days_of_few_keys_are_told(spark: SparkSession, few: bool, days: int, expected: set[int]) -> None:
    first = date(2024, 1, 1)
    keys = spark.createDataFrame([(first + timedelta(days=n),) for n in range(days)], "day date")
    rows = spark.createDataFrame([(n, first + timedelta(days=n)) for n in range(4)], "n int, of date")
    assert {row.n for row in rows.where(on_days("of", days_of(keys, "day", few))).collect()} == expected
