"""What is held against the lake before anything is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.errors import ConfigurationError
from conf.profile import ProfileConfig
from conf.project import load_project
from conf.tables.contract import Table
from conf.tables.silver import profile_attributes_table
from jobs.build_profiles import _unfit, check_types
from jobs.runtime.lake import Lake, append, ensure_state, ensure_table, read, table_name, types_of, version_of
from jobs.runtime.merge import merge
from jobs.runtime.run_log import RunLog
from jobs.runtime.stage import Run


def table_with(**types: str) -> Table:
    return profile_attributes_table(profile_with(**types))


def profile_with(**types: str) -> ProfileConfig:
    return ProfileConfig.model_validate({"attributes": [{"name": name, "type": kind} for name, kind in types.items()]})


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """A lake whose profiles have a number of kids, a birthday and nothing else."""
    lake, table = Lake(str(tmp_path)), table_with(kids="int", born="date")
    ensure_table(spark, lake, table)
    row: tuple[Any, ...] = ("ann", 3, datetime(2000, 2, 29, tzinfo=timezone.utc).date(), [])
    append(lake, table, spark.createDataFrame([row], table.schema))
    return lake


def checked(spark: SparkSession, lake: Lake, **types: str) -> None:
    project = replace(load_project(), profile=profile_with(**types))
    now = datetime(2017, 1, 1, tzinfo=timezone.utc)
    check_types(Run(project, lake, "r", now, RunLog(), lambda: spark))


def test_a_type_that_cannot_be_widened_is_told_with_every_other_one(spark: SparkSession, lake: Lake) -> None:
    with pytest.raises(ConfigurationError) as raised:
        checked(spark, lake, kids="boolean", born="int")
    assert raised.value.problems == [
        f"profile.yml: {name} is declared as {new}, and silver.profile_attributes has it as {old}, which cannot be widened to "
        "that: give it another name, or drop the table's column"
        for name, new, old in (("kids", "boolean", "int"), ("born", "int", "date"))
    ]


def test_what_the_check_lets_pass_the_table_becomes(spark: SparkSession, lake: Lake) -> None:
    declared = {"kids": "decimal(18,2)", "born": "date", "city": "string"}  # wider, equal, new
    checked(spark, lake, **declared)
    table = table_with(**declared)
    ensure_table(spark, lake, table)
    found = types_of(None, lake, table.name)
    assert {name: found[name].simpleString() for name in declared} == declared
    assert [(row.kids, row.city) for row in read(spark, lake, table).collect()] == [(Decimal("3.00"), None)]


def test_a_widened_column_keeps_its_values_and_the_table_its_layout(spark: SparkSession, lake: Lake) -> None:
    wide = table_with(kids="bigint", born="date")
    ensure_table(spark, lake, wide)
    assert types_of(None, lake, wide.name)["kids"].simpleString() == "bigint"
    assert [(row.profile_id, row.kids, row.born.year) for row in read(spark, lake, wide).collect()] == [("ann", 3, 2000)]
    detail = spark.sql(f"DESCRIBE DETAIL {table_name(lake, wide.name)}").collect()[0]
    assert (detail.clusteringColumns, detail.properties["delta.enableChangeDataFeed"]) == (["profile_id"], "true")
    assert detail.properties["delta.dataSkippingStatsColumns"] == "`profile_id`,`kids`,`born`"


def test_a_state_of_another_type_is_made_anew_and_one_of_the_same_stays(spark: SparkSession, lake: Lake) -> None:
    ensure_state(spark, lake, table_with(kids="int", born="date", city="string"))
    table = table_with(kids="boolean", born="date", city="string")
    assert read(spark, lake, table).count() == 1
    ensure_state(spark, lake, table)
    assert types_of(None, lake, table.name)["kids"].simpleString() == "boolean"
    assert read(spark, lake, table).count() == 0


def test_a_label_or_comment_that_is_edited_reaches_the_table(spark: SparkSession, lake: Lake) -> None:
    def attributes(**of_born: str) -> Table:
        declared = [{"name": "kids", "type": "int"}, {"name": "born", "type": "date", **of_born}]
        return profile_attributes_table(ProfileConfig.model_validate({"attributes": declared}))

    table = attributes(personal="direct", comment="Day of birth")
    everybody = read(spark, lake, table)
    merge(spark, lake, table, everybody)
    detail = spark.sql(f"DESCRIBE DETAIL {table_name(lake, table.name)}").collect()[0]
    assert detail.properties["delta.dataSkippingStatsColumns"] == "`profile_id`,`kids`"
    assert read(spark, lake, table).schema["born"].metadata["comment"] == table.columns[2].comment != ""
    before = version_of(None, lake, table.name)
    merge(spark, lake, table, everybody)
    assert version_of(None, lake, table.name) == before


def test_values_that_do_not_fit_are_told_by_source_and_attribute(spark: SparkSession) -> None:
    told = [("crm", {"kids": "three"}), ("crm", {"kids": "3"}), ("web", {"kids": "many", "born": "2000-13-01"})]
    records = spark.createDataFrame(told, "source string, attributes map<string,string>")
    counts = _unfit(profile_with(kids="int", born="date"), records)
    assert counts["unfit_values"] == {"crm": {"kids": 1}, "web": {"kids": 1, "born": 1}}
    assert counts["notes"][0] == "crm: 1 value(s) of kids do not fit the type in profile.yml, and count as not told"
