from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.errors import LakeError
from conf.settings import Settings
from conf.tables.contract import Column, Table
from jobs.runtime.lake import Lake, changed_rows, ensure_table, exists, fetch, open_lake, read, table_name, version_of
from jobs.runtime.merge import merge

TABLE = Table(
    name="silver.people",
    comment="People, for the tests' sake",
    columns=(
        Column("id", T.StringType(), "Id", nullable=False),
        Column("town", T.StringType(), "Town"),
        Column("name", T.StringType(), "Somebody's name", "direct"),
        Column("tags", T.MapType(T.StringType(), T.StringType()), "Tags", "direct"),
    ),
    keys=("id",),
)
Person = tuple[str, str, str | None]
ANN, BOB, EVE = ("1", "Bonn", "Annabel"), ("2", "Bonn", "Bobby"), ("3", "Köln", "Eveline")


def people(spark: SparkSession, *rows: Person) -> DataFrame:
    return spark.createDataFrame([(*row, {"of": row[0]}) for row in rows], TABLE.schema)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """A lake with Ann and Bob in Bonn, and Eve in Köln."""
    lake = Lake(str(tmp_path))
    assert merge(spark, lake, TABLE, people(spark, ANN, BOB, EVE)) == counts(inserted=3)
    return lake


def counts(**given: int) -> dict[str, int]:
    return {"inserted": 0, "updated": 0, "deleted": 0, **given}


def held(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in fetch(None, lake, TABLE.name, ("id", "town", "name")).to_pylist())


def test_a_table_is_named_by_its_folder_or_by_its_catalogue() -> None:
    assert table_name(Lake("/lake"), "gold.rfm") == "delta.`/lake/gold/rfm`"
    assert table_name(Lake(None, "dev", "c360_"), "gold.rfm") == "`dev`.`c360_gold`.`rfm`"


def test_a_path_that_sql_cannot_name_is_refused() -> None:
    with pytest.raises(LakeError, match="backtick"):
        open_lake(Settings(lake="/tmp/a`b"))


def test_a_table_that_does_not_exist_has_no_version_and_no_rows(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert not exists(None, lake, TABLE.name)
    assert (version_of(None, lake, TABLE.name), held(lake)) == (-1, [])


def test_without_a_difference_there_is_no_commit(spark: SparkSession, lake: Lake) -> None:
    before = version_of(None, lake, TABLE.name)
    assert merge(spark, lake, TABLE, people(spark, EVE, BOB, ANN)) == counts()
    assert version_of(None, lake, TABLE.name) == before


def test_maps_that_hold_the_same_in_another_order_do_not_differ(spark: SparkSession, lake: Lake) -> None:
    def with_tags(entries: str) -> DataFrame:
        return people(spark, ANN, BOB, EVE).withColumn("tags", F.expr(f"map({entries})"))

    assert merge(spark, lake, TABLE, with_tags("'a', 'x', 'b', 'y'")) == counts(updated=3)
    assert merge(spark, lake, TABLE, with_tags("'b', 'y', 'a', 'x'")) == counts()
    assert merge(spark, lake, TABLE, with_tags("'b', 'y', 'a', 'z'")) == counts(updated=3)


def test_a_merge_writes_only_what_differs(spark: SparkSession, lake: Lake) -> None:
    before = version_of(None, lake, TABLE.name)
    moved, new = ("2", "Köln", "Bobby"), ("4", "Bonn", "Kim")
    assert merge(spark, lake, TABLE, people(spark, ANN, moved, new)) == counts(inserted=1, updated=1, deleted=1)
    assert held(lake) == [ANN, moved, new]
    feed = changed_rows(spark, lake, TABLE.name, before, version_of(None, lake, TABLE.name))
    assert feed is not None
    assert sorted((row.id, row._change_type) for row in feed.collect()) == [
        ("2", "update_postimage"),
        ("2", "update_preimage"),
        ("3", "delete"),
        ("4", "insert"),
    ]


def test_a_null_differs_from_a_value_and_not_from_a_null(spark: SparkSession, lake: Lake) -> None:
    nameless = people(spark, ANN, BOB, ("3", "Köln", None))
    assert merge(spark, lake, TABLE, nameless) == counts(updated=1)
    assert merge(spark, lake, TABLE, nameless) == counts()


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


def test_columns_that_a_contract_gains_are_added(spark: SparkSession, lake: Lake) -> None:
    wider = Table(TABLE.name, TABLE.comment, (*TABLE.columns, Column("age", T.IntegerType(), "Age")), TABLE.keys)
    ensure_table(spark, lake, wider)
    assert [(row.id, row.age) for row in read(spark, lake, wider).orderBy("id").collect()] == [
        ("1", None),
        ("2", None),
        ("3", None),
    ]


def test_values_of_direct_columns_never_appear_in_the_log(spark: SparkSession, lake: Lake) -> None:
    merge(spark, lake, TABLE, people(spark, ("1", "Bonn", "Annabelle"), BOB, ("5", "Ulm", "Zoraida")))
    log = "".join(path.read_text() for path in sorted(Path(str(lake.root), "silver", "people", "_delta_log").glob("*.json")))
    assert '\\"maxValues\\":{\\"id\\":\\"5\\",\\"town\\":\\"' in log
    assert [name for name in ("Annabel", "Bobby", "Eveline", "Zoraida") if name in log] == []
