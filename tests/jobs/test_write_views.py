"""Views for analysts, in a catalogue: what a BI tool finds there without knowing lists, maps and hashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from conf.project import load_project
from conf.tables.contract import Table
from conf.tables.gold import customer_360_table
from conf.tables.ops import RUNS
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES
from conf.tables.views import declared_views
from jobs import cli
from jobs.runtime.lake import Lake, append, ensure_table, table_name
from jobs.runtime.run_log import make_schemas
from jobs.write_views import create_views

PROFILE = load_project().profile
VIEWS = {view.name: view for view in declared_views(PROFILE)}
LAKE = Lake(None, "spark_catalog", "c360_views_")
NOON, LATER = datetime.fromisoformat("2017-03-01T12:00"), datetime.fromisoformat("2017-03-11T08:00")
MORNING = NOON.replace(hour=9)


def fill(spark: SparkSession, table: Table, *rows: dict[str, Any]) -> None:
    """Rows with what a test says of them; what must not be null and is not told, is something."""
    something = {T.StringType(): "-", T.IntegerType(): 0, T.TimestampType(): NOON, T.DateType(): NOON.date()}
    needed = {c.name: something[c.type] for c in table.columns if not c.nullable}
    ensure_table(spark, LAKE, table)
    whole = [tuple({**needed, **row}.get(name) for name in table.column_names) for row in rows]
    append(LAKE, table, spark.createDataFrame(whole, table.schema))


@pytest.fixture(scope="module")
def views(spark: SparkSession) -> Iterator[SparkSession]:
    make_schemas(spark, LAKE)
    ana = {
        "profile_id": "ana",
        "identifier_namespaces": ["crm_id", "email"],
        "last_products_viewed": [],
        "open_cart_30d": {"tea": NOON},
        "first_purchase_at": datetime.fromisoformat("2017-01-11T23:00"),
        "last_purchase_at": NOON,
        "segment_since": datetime.fromisoformat("2017-03-10"),
        "revenue": Decimal("12.50"),
    }
    early = {"profile_id": "early", "last_purchase_at": LATER + timedelta(days=2)}
    fill(spark, customer_360_table(PROFILE), ana, {"profile_id": "cookie"}, early)
    ended = [("done", "assign-segments", LATER + timedelta(days=9)), ("done", "assign-segments", LATER)]  # it went back
    ended += [("failed", "assign-segments", NOON), ("done", "publish-customer-360", NOON), ("done", "ingest-silver", NOON)]
    fill(
        spark,
        RUNS,
        *(
            {"run_id": f"{n}", "outcome": outcome, "stage": stage, "as_of": as_of, "started_at": LATER + timedelta(hours=n)}
            for n, (outcome, stage, as_of) in enumerate(ended)
        ),
    )
    fill(spark, IDENTITIES, *({"identifier_id": one, "profile_id": "ana"} for one in ("card", "mail")))
    days = [("card", 3, NOON), ("mail", 1, MORNING)]
    fill(
        spark,
        ACTIVITY,
        *({"identifier_id": one, "events": number, "first_at": at, "last_at": at} for one, number, at in days),
        {"identifier_id": "card", "activity_on": date(2017, 3, 2), "events": 5},
    )
    fill(
        spark,
        EVENTS,
        {"event_id": "e1", "primary_identifier_id": "card", "revenue": Decimal("2.50")},
        {"event_id": "e2", "revenue": Decimal("4.00")},
    )
    create_views(spark, LAKE, PROFILE)
    yield spark
    for schema in ("bronze", "silver", "gold", "ops"):
        spark.sql(f"DROP SCHEMA `{LAKE.catalog}`.`{LAKE.schema_prefix}{schema}` CASCADE")


def rows(spark: SparkSession, view: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, spark.table(table_name(LAKE, view)).select(*columns).collect()), key=str)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_the_columns_types_and_comments_that_are_declared(views: SparkSession, name: str) -> None:
    found = [(f.name, f.dataType, f.metadata.get("comment")) for f in views.table(table_name(LAKE, name)).schema]
    assert found == [(c.name, c.type, c.comment) for c in VIEWS[name].columns]


@pytest.mark.parametrize("name", VIEWS)
def test_no_column_of_a_view_is_a_list_or_a_map(name: str) -> None:
    assert not [c.name for c in VIEWS[name].columns if isinstance(c.type, T.ArrayType | T.MapType | T.StructType)]


def test_customers_have_days_up_to_the_lakes_now_and_lists_as_text(views: SparkSession) -> None:
    columns = (
        "profile_id",
        "recency_days",
        "tenure_days",
        "segment_days",
        "as_of",
        "identifier_namespaces",
        "last_products_viewed",
    )
    assert rows(views, "gold.customers", *columns) == [
        ("ana", 10, 59, 1, LATER, "crm_id, email", ""),
        ("cookie", None, None, None, LATER, None, None),
        ("early", 0, None, None, LATER, None, None),
    ]


def test_what_is_broken_down_is_a_row_each(views: SparkSession) -> None:
    columns = ("profile_id", "measure", "item", "number", "at", "text")
    assert rows(views, "gold.customer_breakdowns", *columns) == [("ana", "open_cart_30d", "tea", None, NOON, None)]


def test_days_are_the_profiles_whatever_identifier_was_used(views: SparkSession) -> None:
    assert rows(views, "gold.customer_days", "profile_id", "day", "events", "first_at", "last_at") == [
        ("ana", date(2017, 3, 1), 4, MORNING, NOON),
        ("ana", date(2017, 3, 2), 5, None, None),
    ]


def test_events_name_their_profile_and_those_of_nobody_are_there(views: SparkSession) -> None:
    assert rows(views, "gold.customer_events", "event_id", "profile_id", "revenue") == [
        ("e1", "ana", Decimal("2.50")),
        ("e2", None, Decimal("4.00")),
    ]


def test_no_view_of_events_or_days_holds_what_names_a_person() -> None:
    direct = {
        c.name for name in ("gold.customer_days", "gold.customer_events") for c in VIEWS[name].columns if c.personal == "direct"
    }
    assert not direct


def test_a_lake_in_a_folder_gets_the_statements_to_run_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["views", "--lake", "/data/lake"]) == 0
    text = capsys.readouterr().out
    assert text.count("CREATE OR REPLACE VIEW `") == len(VIEWS)
    assert "FROM delta.`/data/lake/gold/customer_360`" in text
    assert cli.main(["views", "--lake", "/data/lake", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(VIEWS)
