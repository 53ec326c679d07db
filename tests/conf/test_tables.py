from __future__ import annotations

from dataclasses import replace

import pytest
from pyspark.sql import types as T

from conf.profile import Attribute, ProfileConfig
from conf.project import load_project
from conf.tables import gold, ops, silver
from conf.tables.bronze import bronze_table
from conf.tables.consents import CONSENTS
from conf.tables.contract import LOOKED_UP, Column, Table
from conf.tables.measures import activity_measures_table

PROFILE = load_project().profile
TABLES = [
    *(value for module in (silver, gold, ops) for value in vars(module).values() if isinstance(value, Table)),
    silver.profile_attributes_table(PROFILE),
    gold.customer_360_table(PROFILE),
    activity_measures_table(PROFILE),
    CONSENTS,
    bronze_table("pos", ("card_number", "sales_value")),
]
by_name = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def test_every_table_has_its_own_name() -> None:
    names = [table.name for table in TABLES]
    assert sorted(set(names)) == sorted(names)


@by_name
def test_direct_personal_data_is_never_in_statistics_nor_clustered_by(table: Table) -> None:
    direct = {column.name for column in table.columns if column.personal == "direct"}
    assert not direct & {*table.statistics_columns, *table.cluster_by}


@by_name
def test_statistics_are_never_empty_since_empty_means_every_column(table: Table) -> None:
    assert table.statistics_columns


@by_name
def test_what_is_clustered_by_has_statistics(table: Table) -> None:
    assert set(table.cluster_by) <= set(table.statistics_columns)


@by_name
def test_keys_are_there_and_never_null(table: Table) -> None:
    nullable = {column.name: column.nullable for column in table.columns}
    assert table.keys
    assert [name for name in table.keys if nullable[name]] == []


@by_name
def test_everything_has_a_comment(table: Table) -> None:
    assert table.comment
    assert [column.name for column in table.columns if not column.comment.strip()] == []


@by_name
def test_columns_that_hold_names_or_raw_identifiers_are_direct_personal_data(table: Table) -> None:
    telling = {"value", "other_value", "identifiers", "attributes", "raw_row", "first_name", "last_name", "email", "phone"}
    counted = {("gold.customer_360", "identifiers")}  # how many there are
    wrong = [
        column.name
        for column in table.columns
        if column.name in telling and column.personal != "direct" and (table.name, column.name) not in counted
    ]
    assert wrong == []


def test_raw_columns_are_text_and_direct_personal_data() -> None:
    column = bronze_table("pos", ("sales_value",)).columns[0]
    assert (column.name, column.type, column.personal) == ("sales_value", T.StringType(), "direct")


def test_a_declared_attribute_is_a_column_of_its_type() -> None:
    (column,) = silver.attribute_columns(ProfileConfig(attributes=(Attribute(name="kids", type="int", personal="none"),)))
    assert (column.name, column.type, column.personal) == ("kids", T.IntegerType(), "none")


SMALL = Table(
    "silver.small", "Small", (Column("id", T.StringType(), "Id"), Column("who", T.StringType(), "Who", "direct")), ("id",)
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"columns": (*SMALL.columns, SMALL.columns[0])}, "a column is declared twice"),
        ({"keys": ("key",)}, "key or clustering column key is not declared"),
        ({"cluster_by": ("day",)}, "key or clustering column day is not declared"),
        ({"file_mib": LOOKED_UP, "deletion_vectors": True}, "single keys are looked up cannot have deletion vectors"),
        ({"cluster_by": ("who",)}, "who is direct personal data and cannot be clustered by"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(SMALL, **changes)
