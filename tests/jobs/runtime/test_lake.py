from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from conf.errors import LakeError
from conf.settings import Settings
from conf.tables.contract import Column, Table
from jobs.runtime.lake import Lake, ensure_table, exists, open_lake, read, table_name, types_of, version_of
from jobs.runtime.merge import merge
from jobs.runtime.run_log import make_schemas
from tests.jobs.runtime.people import BOB, TABLE, held, people


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


@pytest.mark.parametrize("where", ["object storage", "a catalogue"])
def test_a_table_is_missed_and_then_found_wherever_a_lake_is(spark: SparkSession, tmp_path: Path, where: str) -> None:
    lake = Lake(f"file://{tmp_path}/lake") if where == "object storage" else Lake(None, "spark_catalog", "found_")
    assert not exists(spark, lake, TABLE.name)
    assert (version_of(spark, lake, TABLE.name), types_of(spark, lake, TABLE.name)) == (-1, {})
    try:
        make_schemas(spark, lake)
        assert version_of(spark, lake, TABLE.name) == -1
        assert merge(spark, lake, TABLE, people(spark, BOB))["inserted"] == 1
        assert exists(spark, lake, TABLE.name)
        assert version_of(spark, lake, TABLE.name) == 1
        assert list(types_of(spark, lake, TABLE.name)) == list(TABLE.column_names)
        assert merge(spark, lake, TABLE, people(spark, BOB))["inserted"] == 0
    finally:
        for schema in ("bronze", "silver", "gold", "ops"):
            spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.found_{schema} CASCADE")


def test_another_error_than_a_missing_table_is_not_taken_for_one(spark: SparkSession) -> None:
    with pytest.raises(AnalysisException):
        version_of(spark, Lake(None, "no_such_catalogue"), TABLE.name)


def test_a_catalogues_table_whose_files_are_gone_is_not_taken_for_a_missing_one(spark: SparkSession) -> None:
    lake = Lake(None, "spark_catalog", "lost_")
    try:
        make_schemas(spark, lake)
        ensure_table(spark, lake, TABLE)
        place = spark.sql(f"DESCRIBE DETAIL {table_name(lake, TABLE.name)}").collect()[0]["location"]
        shutil.rmtree(place.removeprefix("file:"))
        with pytest.raises(AnalysisException):
            version_of(spark, lake, TABLE.name)
    finally:
        for schema in ("bronze", "silver", "gold", "ops"):
            spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.lost_{schema} CASCADE")


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
