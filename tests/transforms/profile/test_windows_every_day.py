"""Windows are right on every day: what the state of days gives is what DuckDB makes of the events themselves."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.activity import STANDARD_COUNTS
from tests.transforms.profile.measured import START, event, events_of, profile_of
from transforms.profile.activity import summarise_activity
from transforms.profile.measured_days import measure_days
from transforms.profile.measures import measure_profiles

duckdb = pytest.importorskip("duckdb")
CUSTOMERS, DAYS, EVENTS = 50, 400, 1_500
PROFILE = profile_of(
    {"name": "views", "measure": "count", "filter": "event_type = 'product_view'", "windows": ["7d", "90d"]},
    {"name": "orders", "measure": "sum", "over": "days", "of": "purchases", "type": "bigint", "windows": ["30d", "365d"]},
    {"name": "spend", "measure": "sum", "of": "revenue", "filter": "event_type = 'purchase'", "windows": ["30d"]},
    {"name": "seen", "measure": "last", "windows": ["30d"]},
    {"name": "products", "measure": "distinct", "of": "product_id", "windows": ["90d"]},
    {"name": "favourite", "measure": "top", "of": "category", "weigh": "revenue", "windows": ["90d"]},
    {
        "name": "cart",
        "measure": "open",
        "of": "product_id",
        "filter": "event_type = 'add_to_cart'",
        "closed_by": "event_type = 'purchase'",
        "windows": ["30d"],
    },
)
RECOMPUTED = """
with told as (
    select customer || ' ' || strftime(day, '%Y-%m-%d') as profile_id, day as as_of, e.*
    from days left join events e on e.who = customer and e.occurred_on <= day and e.occurred_on > day - 365
), within_90 as (select * from told where occurred_on > as_of - 90),
within_30 as (select * from told where occurred_on > as_of - 30),
numbers as (
    select profile_id,
        count(*) filter (event_type = 'product_view' and occurred_on > as_of - 7) as views_7d,
        count(*) filter (event_type = 'product_view' and occurred_on > as_of - 90) as views_90d,
        count(distinct order_id) filter (event_type = 'purchase' and occurred_on > as_of - 30) as orders_30d,
        count(distinct order_id) filter (event_type = 'purchase') as orders_365d,
        coalesce(sum(revenue) filter (event_type = 'purchase' and occurred_on > as_of - 30), 0)::decimal(18,2) as spend_30d,
        max(occurred_at) filter (occurred_on > as_of - 30) as seen_30d,
        count(distinct product_id) filter (occurred_on > as_of - 90) as products_90d
    from told group by all
), favourites as (
    select profile_id, category as favourite_90d from (
        select profile_id, category, sum(revenue) as paid, max(occurred_at) as newest from within_90
        where category is not null group by all having sum(revenue) is not null
    ) qualify row_number() over (partition by profile_id order by paid desc, newest desc, category) = 1
), carts as (
    select profile_id, string_agg(product_id, ',' order by product_id) as cart_30d from (
        select profile_id, product_id, max(occurred_at) filter (event_type = 'add_to_cart') as added,
            max(occurred_at) filter (event_type = 'purchase') as bought
        from within_30 where product_id is not null group by all
    ) where added > bought or (added is not null and bought is null) group by all
)
select
    profile_id, views_7d, views_90d, orders_30d, orders_365d, spend_30d, epoch_us(seen_30d), products_90d, favourite_90d, cart_30d
from numbers left join favourites using (profile_id) left join carts using (profile_id)
where profile_id is not null
"""


def drawn_events() -> list[tuple[Any, ...]]:
    """Customers who look, fill carts and buy, some days several times and for weeks not at all."""
    dice = random.Random(20170101)
    rows = []
    for number in range(EVENTS):
        kind = dice.choice(["product_view", "add_to_cart", "purchase", "call"])
        told: dict[str, Any] = {} if kind == "call" else {"product": dice.choice("abcd"), "category": dice.choice("xyz")}
        if kind == "purchase":
            told |= {"order": f"o{number}", "revenue": f"{dice.randint(1, 9999) / 100:.2f}"}
        rows.append(event(number, f"c{dice.randrange(CUSTOMERS):02}", kind, 1 + dice.randrange(DAYS * 1440) / 1440, **told))
    return rows


def test_every_window_of_every_customer_is_right_on_each_of_400_days(spark: SparkSession) -> None:
    rows = drawn_events()
    events = events_of(spark, rows)
    people = spark.createDataFrame([(f"c{number:02}",) for number in range(CUSTOMERS)], "identifier_id string")
    days = spark.createDataFrame([(START + timedelta(days=n),) for n in range(DAYS)], "as_of date")
    profiles = people.crossJoin(days).withColumn("profile_id", F.concat_ws(" ", "identifier_id", "as_of"))
    found = measure_profiles(measure_days(events, PROFILE), summarise_activity(events), profiles, PROFILE, F.col("as_of"))
    comparable = {"seen_30d": F.unix_micros("seen_30d"), "cart_30d": F.array_join(F.map_keys("cart_30d"), ",")}
    table = found.withColumns(comparable).drop(*(count.name for count in STANDARD_COUNTS)).toArrow()
    recomputed = recompute(rows)
    assert len(recomputed) == CUSTOMERS * DAYS
    shown = sorted(tuple(row.values()) for row in table.to_pylist())
    assert shown == recomputed


def recompute(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Every profile of every day, from the events alone."""
    import pandas as pd

    with duckdb.connect() as connection:
        names = ("who", "event_type", "occurred_at", "occurred_on", "order_id", "product_id", "category", "revenue")
        places = (2, 3, 4, 5, 6, 7, 8, 11)
        told = pd.DataFrame([tuple(row[place] for place in places) for row in rows], columns=names)
        told["occurred_at"] = told["occurred_at"].dt.tz_convert(None)
        connection.register("told", told)
        connection.execute("create table events as select * replace (occurred_on::date as occurred_on) from told")
        span = f"select unnest(range(date '{START}', date '{START}' + {DAYS}, interval 1 day))::date as day"
        people = f"select format('c{{:02d}}', n) as customer from range({CUSTOMERS}) t(n)"
        connection.execute(f"create table days as from ({span}) cross join ({people})")
        return sorted(connection.execute(RECOMPUTED).fetchall())
