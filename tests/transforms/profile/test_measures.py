from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.transforms.profile.measured import event, measured, profile_of

VIEW, ADD, BUY = "product_view", "add_to_cart", "purchase"
MOST = "9999999999999999.99"
PROFILE = profile_of(
    {"name": "views", "measure": "count", "filter": "event_type = 'product_view'", "windows": ["all", "7d"]},
    {"name": "orders", "measure": "sum", "over": "days", "of": "purchases", "type": "bigint", "windows": ["all", "7d"]},
    {"name": "spend", "measure": "sum", "of": "revenue", "filter": "event_type = 'purchase'", "windows": ["all", "7d"]},
    {"name": "order_value", "measure": "formula", "of": "spend / orders"},
    {"name": "cheapest", "measure": "min", "of": "revenue"},
    {"name": "dearest", "measure": "max", "of": "revenue"},
    {"name": "first_buy", "measure": "first", "filter": "event_type = 'purchase'"},
    {"name": "seen", "measure": "last", "by": "channel"},
    {"name": "views_by_channel", "measure": "count", "by": "channel", "filter": "event_type = 'product_view'"},
    {"name": "spend_by_channel", "measure": "sum", "of": "revenue", "by": "channel"},
    {"name": "last_product", "measure": "last", "of": "product_id"},
    {"name": "products", "measure": "distinct", "of": "product_id", "windows": ["all", "7d"]},
    {"name": "favourite", "measure": "top", "of": "category"},
    {"name": "best_paid", "measure": "top", "of": "category", "weigh": "revenue"},
    {"name": "hour", "measure": "top", "of": "hour(occurred_at)", "type": "int"},
    {"name": "viewed", "measure": "recent", "of": "product_id", "filter": "event_type = 'product_view'", "keep": 2},
    {
        "name": "cart",
        "measure": "open",
        "of": "product_id",
        "filter": "event_type = 'add_to_cart'",
        "closed_by": "event_type = 'purchase'",
        "windows": ["all", "7d"],
    },
    {"name": "calls_about_money", "measure": "count", "filter": "reason = 'refund'"},
)
NOBODY = {"views": 0, "views_7d": 0, "orders": 0, "spend": Decimal("0.00"), "products": 0, "calls_about_money": 0}


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2017, 1, day, hour, tzinfo=timezone.utc)


# Events of Ann (type, day, what is told), and what her profile shows of them as of the tenth of January.
CASES: list[tuple[list[tuple[str, float, dict[str, Any]]], dict[str, Any]]] = [
    ([(VIEW, 3, {}), (VIEW, 4, {}), (VIEW, 10.9, {}), (VIEW, 11, {})], {"views": 4, "views_7d": 2}),
    ([(BUY, 3, {"order": "o1", "revenue": "5.00"})], {"orders": 1, "orders_7d": 0, "spend": Decimal("5.00"), "spend_7d": 0}),
    (
        [(BUY, 4, {"order": "o1", "revenue": "5.00"}), (BUY, 4, {"order": "o2", "revenue": "2.50"})],
        {"orders_7d": 2, "order_value": Decimal("3.75"), "cheapest": Decimal("2.50"), "dearest": Decimal("5.00")},
    ),
    (
        [(VIEW, 1, {})],
        {"order_value": None, "cheapest": None, "first_buy": None, "favourite": None, "viewed": None, "cart": None},
    ),
    ([(BUY, 5.5, {}), (BUY, 3.25, {}), (VIEW, 1, {})], {"first_buy": at(3, 6)}),
    (
        [(VIEW, 1, {"channel": "web"}), (VIEW, 2, {"channel": "web"}), (BUY, 3, {"channel": "store"}), (VIEW, 4, {})],
        {"seen": {"store": at(3), "web": at(2)}, "views_by_channel": {"web": 2}},
    ),
    (
        [(BUY, 1, {"channel": "web", "revenue": MOST}), (BUY, 2, {"channel": "store", "revenue": "1.00"})],
        {"spend_by_channel": {"store": Decimal("1.00"), "web": Decimal(MOST)}, "spend": None},
    ),
    (  # a sum beyond its type is none, and takes no other along
        [(BUY, 1, {"channel": c, "revenue": r}) for c, r in (("web", MOST), ("web", MOST), ("store", "1.00"))],
        {"spend_by_channel": {"store": Decimal("1.00"), "web": None}},
    ),
    ([(VIEW, 2, {"product": "tea"}), (VIEW, 9, {"product": "milk"}), (BUY, 10, {})], {"last_product": "milk"}),
    ([(VIEW, 9, {"product": "tea"}), (VIEW, 9, {"product": "milk"})], {"last_product": "milk"}),
    (
        [(VIEW, 2, {"product": "tea"}), (VIEW, 9, {"product": "tea"}), (VIEW, 2, {"product": "milk"})],
        {"products": 2, "products_7d": 1},
    ),
    ([(BUY, 1, {"category": c}) for c in ("dairy", "dairy", "fish")], {"favourite": "dairy"}),
    ([(BUY, 1, {"category": "fish"}), (BUY, 2, {"category": "dairy"})], {"favourite": "dairy"}),
    ([(BUY, 1, {"category": "fish"}), (BUY, 1, {"category": "dairy"})], {"favourite": "dairy"}),
    (
        [(BUY, 1, {"category": "fish", "revenue": "9.00"})] + [(BUY, 2, {"category": "dairy", "revenue": "4.00"})] * 2,
        {"favourite": "dairy", "best_paid": "fish"},
    ),
    ([(VIEW, 1.5, {}), (VIEW, 2.5, {}), (VIEW, 3, {})], {"hour": 12}),
    ([(VIEW, day, {"product": p}) for day, p in ((1, "a"), (2, "b"), (3, "c"), (4, "b"))], {"viewed": ["b", "c"]}),
    (
        [(ADD, 2, {"product": "tea"}), (ADD, 5, {"product": "tea"}), (ADD, 1, {"product": "milk"})],
        {"cart": {"milk": at(1), "tea": at(5)}},
    ),
    ([(ADD, 2, {"product": "tea"}), (ADD, 5, {"product": "tea"}), (ADD, 1, {"product": "milk"})], {"cart_7d": {"tea": at(5)}}),
    ([(ADD, 5, {"product": "tea"}), (BUY, 5.1, {"product": "tea"})], {"cart": None}),
    ([(BUY, 5, {"product": "tea"}), (ADD, 5.5, {"product": "tea"})], {"cart": {"tea": at(5, 12)}}),
    ([("call", 1, {"attributes": {"reason": "refund"}}), ("call", 1, {})], {"calls_about_money": 1}),
]


def test_each_measure_shows_of_events_what_is_declared(spark: SparkSession) -> None:
    rows = [
        event(100 * number + place, f"card {number}", kind, day, **told)
        for number, (done, _) in enumerate(CASES)
        for place, (kind, day, told) in enumerate(done)
    ]
    held = {f"card {number}": str(number) for number in range(len(CASES))}
    found = measured(spark, PROFILE, held, 10, *rows)
    wanted = [shown for _, shown in CASES]
    assert [{name: plain(found[str(n)][name]) for name in shown} for n, shown in enumerate(wanted)] == wanted


def plain(value: Any) -> Any:
    """Times as UTC; Spark hands them over in the time of this machine."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


@pytest.fixture(scope="module")
def household(spark: SparkSession) -> dict[str, Any]:
    """A browser views and fills a cart, a card buys. They are one profile; another browser did nothing that counts."""
    rows = [
        event(1, "browser", VIEW, 8, product="tea"),
        event(2, "browser", ADD, 8.25, product="tea"),
        event(3, "browser", ADD, 8.25, product="milk"),
        event(4, "card", BUY, 8.5, product="tea", order="o1", revenue="3.00"),
        event(5, None, BUY, 8.5, product="gold", order="o2", revenue="999.00"),
    ]
    return measured(spark, PROFILE, {"browser": "ann", "card": "ann", "idle": "bob"}, 10, *rows)


def test_what_all_identifiers_of_a_profile_did_is_one_story(household: dict[str, Any]) -> None:
    ann = household["ann"]
    assert (ann["views"], ann["orders"], ann["spend"], plain(ann["cart"])) == (1, 1, Decimal("3.00"), {"milk": at(8, 6)})


def test_every_profile_has_the_standard_counts(household: dict[str, Any]) -> None:
    names = ("events", "product_views", "add_to_carts", "returns", "app_opens", "calls")
    counts = {who: tuple(told[name] for name in names) for who, told in household.items()}
    assert counts == {"ann": (4, 1, 2, 0, 0, 0), "bob": (0, 0, 0, 0, 0, 0)}


def test_who_did_nothing_has_zeros_and_nulls(household: dict[str, Any]) -> None:
    assert {name: household["bob"][name] for name in NOBODY} == NOBODY
    assert [household["bob"][name] for name in ("cart", "viewed", "seen", "order_value")] == [None] * 4


def test_guests_are_nobodys(household: dict[str, Any]) -> None:
    assert sorted(household) == ["ann", "bob"]
    assert max(profile["dearest"] or 0 for profile in household.values()) == Decimal("3.00")
