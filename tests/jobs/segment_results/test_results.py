from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.errors import BadInputError
from jobs.segment_results.results import SegmentResults, segment_results
from tests.jobs.segment_results.lakes import Held, evening, run_on, write_history

ANN_MOVES = [Held("ann", "New", 0, 10), Held("ann", "Loyal", 10, before="New", reason="customer moved")]
BOB_STAYS = [Held("bob", "VIP", 0)]
MOVED = "customer moved"


def found(folder: Path, *history: Held, before: int = 0, after: int = 20, with_who: bool = False, **more: Any) -> SegmentResults:
    root = str(write_history(folder, history, **more))
    return segment_results(run_on(root), evening(before), evening(after), with_who)


def told(results: SegmentResults) -> set[tuple[Any, ...]]:
    """The movements: from, to, fate, why, customers."""
    return {(m.from_segment, m.to_segment, m.fate, m.why, m.customers) for m in results.movements}


def test_who_moved_and_who_stayed_are_counted(tmp_path: Path) -> None:
    results = found(tmp_path, *ANN_MOVES, *BOB_STAYS)
    assert told(results) == {("New", "Loyal", "moved", "the customer", 1), ("VIP", "VIP", "stayed", None, 1)}


@pytest.mark.parametrize(("after", "segment"), [(9, "New"), (10, "Loyal")])
def test_a_segment_holds_from_its_moment_on(tmp_path: Path, after: int, segment: str) -> None:
    assert [m.to_segment for m in found(tmp_path, *ANN_MOVES, after=after).movements] == [segment]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([("Loyal", MOVED)], "the customer"),
        ([("Loyal", "model changed")], "the model"),
        ([("Dormant", MOVED), ("Loyal", "model changed")], "both"),
        ([("New", "model changed"), ("Loyal", MOVED)], "the customer"),
        ([("Dormant", MOVED), ("New", MOVED)], None),
    ],
    ids=["numbers", "model", "both", "a new model that moved nobody", "there and back"],
)
def test_why_somebody_moved_is_told_by_all_steps_that_changed_the_segment(
    tmp_path: Path, steps: list[tuple[str, str]], why: str | None
) -> None:
    history, segment = [Held("ann", "New", 0, 1)], "New"
    for day, (to, reason) in enumerate(steps, start=1):
        history.append(Held("ann", to, day, day + 1, segment, reason))
        segment = to
    history[-1] = replace(history[-1], until=None)
    assert [m.why for m in found(tmp_path, *history).movements] == [why]


def test_who_came_and_who_went_have_a_segment_on_one_date_only(tmp_path: Path) -> None:
    results = found(tmp_path, Held("ann", "New", 5), Held("bob", "VIP", 0, 5))
    assert told(results) == {(None, "New", "new", None, 1), ("VIP", None, "gone", None, 1)}


def test_a_profile_that_merged_away_is_neither_gone_nor_new(tmp_path: Path) -> None:
    results = found(tmp_path, Held("ann", "VIP", 0), Held("app", "New", 0, 5), moved=[("app", "app", "ann", 5)])
    assert told(results) == {("VIP", "VIP", "stayed", None, 1), ("New", None, "merged", None, 1)}


def test_customers_whose_identifiers_are_gone_are_gone_and_nobody_merged(tmp_path: Path) -> None:
    history = [Held(who, "VIP", 0, 5) for who in ("ann", "app", "guest")]
    results = found(tmp_path, *history, Held("bob", "New", 0), moved=[(row.who, row.who, None, 5) for row in history])
    assert told(results) == {("VIP", None, "gone", None, 3), ("New", "New", "stayed", None, 1)}


def test_a_customer_who_gets_another_id_is_followed(tmp_path: Path) -> None:
    history = [Held("guest", "New", 0, 5), Held("card", "Loyal", 5)]
    results = found(tmp_path, *history, moved=[("guest", "guest", "card", 5)], with_who=True)
    assert told(results) == {("New", "Loyal", "moved", "the customer", 1)}
    assert [(row["profile_id"], row["former_id"]) for row in results.who] == [("card", "guest")]


def test_of_several_who_became_one_the_one_that_kept_its_id_goes_on(tmp_path: Path) -> None:
    history = [Held("a", "New", 0, 5), Held("b", "VIP", 0), Held("c", "Dormant", 0, 5)]
    results = found(tmp_path, *history, moved=[("a", "a", "b", 5), ("c", "c", "b", 5)])
    assert told(results) == {
        ("VIP", "VIP", "stayed", None, 1), ("New", None, "merged", None, 1), ("Dormant", None, "merged", None, 1),
    }  # fmt: skip


def test_what_happened_after_the_later_date_is_not_known_on_it(tmp_path: Path) -> None:
    history = [Held("ann", "VIP", 0), Held("app", "New", 0, 15)]
    results = found(tmp_path, *history, moved=[("app", "app", "ann", 15)], after=10)
    assert told(results) == {("VIP", "VIP", "stayed", None, 1), ("New", "New", "stayed", None, 1)}


def test_money_is_that_of_the_period_by_the_segment_at_its_end(tmp_path: Path) -> None:
    bought = [("ann", -8, 100), ("ann", 5, 10), ("bob", 20, 7), ("bob", 21, 1000), ("bob", -20, 1), ("ann", 0, 3)]
    results = found(tmp_path, *ANN_MOVES, *BOB_STAYS, bought=bought)
    assert {s.segment: (s.revenue, s.revenue_before) for s in results.segments} == {
        "Loyal": (10.0, 0.0), "VIP": (7.0, 0.0), "New": (0.0, 103.0),
    }  # fmt: skip


def test_money_before_is_not_told_where_purchases_do_not_reach_back_so_far(tmp_path: Path) -> None:
    results = found(tmp_path, *BOB_STAYS, bought=[("bob", -5, 1)])
    assert [s.revenue_before for s in results.segments] == [None]
    assert results.notes == ("No revenue before: purchases begin on 2016-12-27, less than 20 days before 2017-01-01.",
                             "Segments were last assigned as of 2017-01-01: what held then is shown.")  # fmt: skip


def test_money_before_a_merge_is_his_who_had_the_identifier_then(tmp_path: Path) -> None:
    history = [Held("ann", "VIP", 0), Held("app", "New", 0, 15)]
    bought = [("app", 5, 30), ("ann", 5, 70)]
    at_once = {"history": history, "moved": [("app", "app", "ann", 15)], "bought": bought}
    root = str(write_history(tmp_path, **at_once))
    apart, together = (segment_results(run_on(root), evening(0), evening(day)) for day in (10, 20))
    assert {s.segment: s.revenue for s in apart.segments} == {"VIP": 70.0, "New": 30.0}
    assert {s.segment: s.revenue for s in together.segments} == {"VIP": 100.0, "New": 0.0}


def test_what_they_did_stands_beside_who_moved(tmp_path: Path) -> None:
    bought = [("ann", -4, 1), ("ann", 3, 1), ("ann", 6, 1), ("ann", 25, 1)]
    (movement,) = found(tmp_path, *ANN_MOVES, bought=bought).movements
    assert (movement.days_since_before, movement.days_since, movement.purchase_days) == (4, 14, 2)


def test_the_curve_goes_from_the_beginning_of_the_history_to_the_later_date(tmp_path: Path) -> None:
    curve = found(tmp_path, *ANN_MOVES, *BOB_STAYS, before=5, after=24).curve
    assert (curve[0].at, curve[-1].at) == (evening(0), evening(24))
    assert [dict(one.customers) for one in (curve[0], curve[-1])] == [{"New": 1, "VIP": 1}, {"Loyal": 1, "VIP": 1}]
    assert sum(one.customers.get("Loyal", 0) for one in curve) == len([one for one in curve if one.at >= evening(10)])


def test_without_dates_it_is_the_last_four_weeks(tmp_path: Path) -> None:
    root = str(write_history(tmp_path, [Held("ann", "New", 0, 40), Held("ann", "VIP", 40, before="New", reason=MOVED)]))
    results = segment_results(run_on(root), None, None)
    assert (results.before, results.after) == (evening(12).replace(hour=23, minute=59, second=59), evening(40))
    assert results.days == 28


def test_a_history_of_one_date_has_sizes_and_says_that_there_is_nothing_to_compare(tmp_path: Path) -> None:
    run = run_on(str(write_history(tmp_path, BOB_STAYS, bought=[("bob", -1, 5)])))
    for named in (None, evening(0).replace(hour=23, minute=59)):
        results = segment_results(run, None, named)
        assert not results.has_period
        assert [(s.segment, s.customers, s.revenue) for s in results.segments] == [("VIP", 1, 5.0)]
        assert results.notes == ("The history has one date so far: there is nothing to compare it with.",)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [(-1, 10, "begins on 2017-01-01 .20:00 UTC.: who was in which one on 2016-12-31"), (-9, -1, "begins on"),
     (5, 5, "--from 2017-01-06 is not before --to 2017-01-06"), (9, 5, "is not before")],
)  # fmt: skip
def test_dates_that_nothing_is_known_of_are_bad_input(tmp_path: Path, before: int, after: int, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        found(tmp_path, *ANN_MOVES, before=before, after=after)


def test_a_lake_without_segments_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="There are no segments yet"):
        segment_results(run_on(str(tmp_path)), None, None)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Held], list[tuple[str, str, str | None, int]]]:
    """Six customers over ten days, in and out of three segments; some merge away into another one for good."""
    history, moved = [], []
    names = [f"p{number}" for number in range(6)]
    for number, who in enumerate(names):
        merged = draw(st.none() | st.integers(1, 9)) if number else None  # into one with a smaller number
        day, segment = draw(st.integers(0, 5)), None
        end = 10 if merged is None else merged
        while day < end:
            until = draw(st.integers(day + 1, 12))
            to = draw(st.sampled_from("XYZ"))
            if until >= end:
                history.append(Held(who, to, day, None if merged is None else merged, segment, "customer moved"))
                break
            history.append(Held(who, to, day, until, segment, "customer moved"))
            day, segment = until, to
        if merged is not None:
            moved.append((who, who, draw(st.sampled_from(names[:number])), merged))
    return [Held("p0", "X", 0, 1), *history], moved


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=histories(), before=st.integers(0, 5), days=st.integers(1, 5))
def test_every_customer_of_both_dates_is_counted_once(
    tmp_path: Path, made: tuple[list[Held], list[tuple[str, str, str | None, int]]], before: int, days: int
) -> None:
    history, moved = made
    results = found(tmp_path, *history, before=before, after=before + days, moved=moved)
    there = _held_on(history, before), _held_on(history, before + days)
    assert sum((Counter({m.from_segment: m.customers}) for m in results.movements if m.from_segment), Counter()) == there[0]
    assert sum((Counter({m.to_segment: m.customers}) for m in results.movements if m.to_segment), Counter()) == there[1]
    assert {s.segment: s.customers for s in results.segments if s.customers} == there[1]


def _held_on(history: list[Held], day: int) -> Counter[str]:
    return Counter(row.segment for row in history if row.since <= day and (row.until is None or row.until > day))


def test_spark_says_what_is_said_without_it(spark: SparkSession, tmp_path: Path) -> None:
    history = [*ANN_MOVES, *BOB_STAYS, Held("app", "New", 0, 5), Held("cid", "VIP", 3), Held("dan", "VIP", 0, 9)]
    bought = [("ann", -30, 5), ("ann", 5, 10), ("bob", 20, 7), ("app", -2, 4), ("cid", 3, 1)]
    root = str(write_history(tmp_path, history, moved=[("app", "app", "bob", 5)], bought=bought))
    without = segment_results(run_on(root), evening(0), evening(20), with_who=True)
    by_spark = segment_results(run_on(f"file://{root}", lambda: spark), evening(0), evening(20), with_who=True)
    assert len(without.movements) == 5
    assert by_spark == without
