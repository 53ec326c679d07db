from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import types as T

from conf.activity import Measure, unknown_event_columns
from conf.profile import ProfileConfig
from conf.tables.measures import VALUE, activity_measures_table, measure_columns


def declared(*measures: dict[str, Any]) -> ProfileConfig:
    return ProfileConfig.model_validate({"activity": list(measures)})


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ({"measure": "average"}, "Input should be 'count', 'sum'"),
        ({"measure": "sum"}, "sum needs `of`"),
        ({"measure": "count", "of": "order_id"}, "count takes no `of`: use distinct"),
        ({"measure": "count", "windows": ["30"]}, "String should match pattern"),
        ({"measure": "count", "windows": ["7d", "7d"]}, "expected each window once"),
        ({"measure": "count", "windows": []}, "at least 1 item"),
        ({"measure": "count", "filter": "java_method('a', 'b')"}, "the function java_method is not allowed"),
        ({"measure": "count", "filter": "quantity + 1"}, "`filter` is a number; expected a condition"),
        ({"measure": "count", "type": "int"}, "count has a type of its own"),
        ({"measure": "sum", "of": "occurred_on"}, "`of` is a date; expected a number"),
        ({"measure": "top", "of": "category", "by": "channel"}, "top cannot be split with `by`"),
        ({"measure": "last", "of": "store", "by": "channel"}, "is a count, a sum or a time: remove `of`"),
        ({"measure": "open", "of": "product_id"}, "`closed_by` and open need each other"),
        ({"measure": "count", "weigh": "revenue"}, "`weigh` belongs to top"),
        ({"measure": "count", "over": "days"}, "over days there are sums, found count"),
        ({"measure": "sum", "over": "days", "of": "margin"}, "`of` is a column of the days: events, purchases"),
        ({"measure": "formula", "of": "spend / 2", "windows": ["7d"]}, "a formula has the windows of what it names"),
        ({"measure": "formula", "of": "spend / 2"}, "the formula m names spend; expected numbers of"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused(measure: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        declared({"name": "m", **measure})


def test_two_measures_cannot_make_one_column() -> None:
    with pytest.raises(ValidationError, match="declared twice: views_7d"):
        declared({"name": "views", "measure": "count", "windows": ["7d"]}, {"name": "views_7d", "measure": "count"})


def test_a_measure_makes_a_column_for_each_window() -> None:
    profile = declared(
        {"name": "views", "measure": "count", "windows": ["all", "7d"], "comment": "Views"},
        {"name": "paid", "measure": "sum", "over": "days", "of": "revenue"},
        {"name": "hour", "measure": "top", "of": "hour(occurred_at)", "type": "int", "windows": ["1d"]},
        {"name": "seen", "measure": "last", "by": "channel"},
    )
    shown = [(column.name, column.type.simpleString(), column.comment) for column in measure_columns(profile)]
    assert shown == [
        ("views", "bigint", "Views"),
        ("views_7d", "bigint", "Views, on the last 7 days"),
        ("paid", "decimal(18,2)", "sum revenue"),
        ("hour_1d", "int", "top hour(occurred_at), on the last day"),
        ("seen", "map<string,timestamp>", "last"),
    ]
    days = {column.name: column.type for column in activity_measures_table(profile).columns[2:]}
    assert days == {"views": T.LongType(), "hour": T.ArrayType(VALUE), "seen": T.ArrayType(VALUE)}


def test_columns_that_no_event_has_are_told() -> None:
    measures = (
        Measure(name="calls", measure="count", filter="reason = 'refund' and event_type = 'call'"),
        Measure(name="sizes", measure="top", of="size"),
    )
    (problem,) = unknown_event_columns(measures, {"reason"})
    assert problem.startswith("profile.yml: `activity`: sizes names size; expected columns of the standard schema (event_id,")
