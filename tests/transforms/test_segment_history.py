from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.tables.gold import SEGMENT_ASSIGNMENTS
from transforms.segment_history import assignment_changes

BEFORE, NOW, LATER = (datetime(2017, month, 1, tzinfo=timezone.utc) for month in (1, 2, 3))
WAS_NEW: dict[str, Any] = {
    "profile_id": "ann", "valid_from": BEFORE, "valid_to": None, "is_current": True, "segment": "New",
    "previous_segment": None, "model_version": "1", "distance": 0.5, "reason": "first", "closed_because": None,
}  # fmt: skip


def changes(
    spark: SparkSession,
    assigned: str | None,
    current: dict[str, Any] | None = WAS_NEW,
    model: str = "1",
    alive: bool = True,
) -> list[tuple[Any, ...]]:
    """Rows to merge for Ann, the closed ones first: (from, to, segment, before, model, reason, closed because).

    Times are told as ``before`` and ``now``.
    """
    rows = spark.createDataFrame(
        [("ann", assigned, 0.25)] if assigned else [], "profile_id string, segment string, distance double"
    )
    held = spark.createDataFrame([tuple(current.values())] if current else [], SEGMENT_ASSIGNMENTS.schema)
    profiles = spark.createDataFrame([("ann",)] if alive else [], "profile_id string")
    found = assignment_changes(rows, held, profiles, NOW, model)
    assert found.columns == list(SEGMENT_ASSIGNMENTS.column_names)
    told = found.selectExpr(
        *(
            f"case month({name}) when 1 then 'before' when 2 then 'now' when 3 then 'later' end as {name}"
            for name in ("valid_from", "valid_to")
        ),
        *("segment", "previous_segment", "model_version", "reason", "closed_because", "is_current"),
    ).collect()
    assert all(row.is_current == (row.valid_to is None) for row in told)
    return sorted((tuple(row)[:-1] for row in told), key=lambda row: row[1] is None)


def test_who_has_no_segment_yet_gets_a_first_one(spark: SparkSession) -> None:
    assert changes(spark, "New", current=None) == [("now", None, "New", None, "1", "first", None)]


def test_who_stays_in_a_segment_gives_no_row(spark: SparkSession) -> None:
    assert changes(spark, "New") == []


def test_who_moves_has_one_row_closed_and_one_begun(spark: SparkSession) -> None:
    assert changes(spark, "Loyal") == [
        ("before", "now", "New", None, "1", "first", "moved"),
        ("now", None, "Loyal", "New", "1", "customer moved", None),
    ]


def test_a_new_model_begins_a_row_even_in_the_same_segment(spark: SparkSession) -> None:
    assert changes(spark, "New", model="2") == [
        ("before", "now", "New", None, "1", "first", "model changed"),
        ("now", None, "New", "New", "2", "model changed", None),
    ]


def test_another_segment_under_a_new_model_is_the_models_doing(spark: SparkSession) -> None:
    closed, begun = changes(spark, "Loyal", model="2")
    assert begun == ("now", None, "Loyal", "New", "2", "model changed", None)
    assert closed[1] == "now"


def test_a_profile_that_merged_away_is_closed(spark: SparkSession) -> None:
    assert changes(spark, None, alive=False) == [("before", "now", "New", None, "1", "first", "merged away")]


def test_a_profile_whose_purchases_went_is_closed(spark: SparkSession) -> None:
    assert changes(spark, None) == [("before", "now", "New", None, "1", "first", "no purchases")]


@pytest.mark.parametrize(
    ("began", "reason"),
    [({"reason": "first"}, "first"), ({"previous_segment": "VIP", "reason": "customer moved"}, "customer moved")],
)
def test_a_segment_that_changes_twice_at_one_as_of_replaces_the_row_that_began_then(
    spark: SparkSession, began: dict[str, Any], reason: str
) -> None:
    current = {**WAS_NEW, "valid_from": NOW, **began}
    assert changes(spark, "Loyal", current) == [("now", None, "Loyal", current["previous_segment"], "1", reason, None)]


def test_an_as_of_before_the_current_row_began_counts_as_its_begin(spark: SparkSession) -> None:
    current = {**WAS_NEW, "valid_from": LATER}
    assert changes(spark, "Loyal", current) == [("later", None, "Loyal", None, "1", "first", None)]
    assert changes(spark, "Loyal", current, model="2") == [
        ("later", "later", "New", None, "1", "first", "moved"),
        ("later", None, "Loyal", "New", "2", "model changed", None),
    ]
