"""Events to build profiles from: visits of customers, each of a few views, a cart and an order; drawn by hashes of numbers.

A customer has a loyalty number, and every second one a browser, too; a visit is of one of them. Visits fall on 400 days, at
any time of the day.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contending import CORES, local_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.runtime.lake import Lake

EVENTS_A_PROFILE, EVENTS_A_VISIT = 20, 5
VISITS, DAYS = EVENTS_A_PROFILE // EVENTS_A_VISIT, 400
FIRST_DAY = date(2017, 1, 1)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
"""The last of the days."""


def write_history(target: Path, profiles: int) -> None:
    """Parquet files with the events of the first so many profiles."""
    import duckdb

    target.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute(f"set threads = {CORES}; set timezone = 'UTC'")
    connection.execute(f"""
        copy (
          with numbered as (
            select n, n // {EVENTS_A_VISIT} as visit, n % {EVENTS_A_VISIT} as step
            from range({profiles * EVENTS_A_PROFILE}) t(n)),
          placed as (
            select *, visit // {VISITS} as customer,
                   (date '{FIRST_DAY}' + (hash(visit, 'day') % {DAYS})::integer)::date as occurred_on,
                   case when hash(visit, 'kind') % 20 = 0 then 'return' when hash(visit, 'kind') % 4 = 0 then 'product_view'
                        else 'purchase' end as kind,
                   ['web', 'app', 'till'][1 + (hash(visit, 'channel') % 3)::integer] as channel,
                   (hash(n - (step = 3)::integer, 'product') % 5000)::integer as product  -- what was put into the cart is bought
            from numbered),
          told as (
            select *, case when step < 2 then 'product_view' when step = 2 then 'add_to_cart' else kind end as event_type,
                   ((hash(n, 'money') % 2000 + 1) / 100)::decimal(18,2) * case kind when 'return' then -1 else 1 end as money
            from placed)
          select n::varchar as event_id, 'shop' as source, md5(n::varchar) as row_hash, 1 as row_ordinal, event_type,
                 (occurred_on + to_seconds((hash(visit, 'time') % 80000)::integer + step::integer * 60))::timestamptz
                   as occurred_at,
                 occurred_on, case when event_type in ('purchase', 'return') then visit::varchar end as order_id,
                 product::varchar as product_id, 'category-' || product % 40 as category, 'brand-' || product % 300 as brand,
                 case channel when 'till' then 'store-' || hash(customer, visit, 'store') % 50 end as store, channel,
                 case when event_type in ('purchase', 'return') then 1::decimal(18,3) end as quantity,
                 case when event_type in ('purchase', 'return') then money end as revenue,
                 map {{'size': 'size-' || product % 12}} as attributes,
                 md5(case when customer % 2 = 0 and channel = 'web' then 'browser-' else 'loyalty-' end || customer)
                   as primary_identifier_id
          from told
        ) to '{target}' (format parquet, per_thread_output true)""")


def write_evening(target: Path, first: int, customers: int, history: int) -> None:
    """Parquet files with one more order line of each of the first so many customers, late on the last day.

    ``first`` is the number of the first event, beyond all of the history's; of customers there are ``history``.
    """
    import duckdb

    target.mkdir(parents=True)
    duckdb.sql("set timezone = 'UTC'")
    duckdb.sql(f"""
        copy (
          select ({first} + n)::varchar as event_id, 'shop' as source, md5(({first} + n)::varchar) as row_hash, 1 as row_ordinal,
                 'purchase' as event_type, '{LAST_DAY} 22:30:00+00'::timestamptz as occurred_at, date '{LAST_DAY}' as occurred_on,
                 'evening-' || n as order_id, '7' as product_id, 'category-7' as category, 'brand-7' as brand,
                 'store-7' as store, 'till' as channel, 1::decimal(18,3) as quantity, 9.99::decimal(18,2) as revenue,
                 map {{'size': 'size-7'}} as attributes,
                 md5('loyalty-' || n * ({history} // {customers})) as primary_identifier_id
          from range({customers}) t(n)
        ) to '{target}' (format parquet, per_thread_output true)""")


def append_events(lake: Lake, folder: Path) -> None:
    """Delivers drawn events to ``silver.events``."""
    from pyspark.sql import functions as F

    from conf.tables.silver import EVENTS
    from jobs.runtime.lake import append, ensure_table

    spark = local_session()
    ensure_table(spark, lake, EVENTS)
    drawn = spark.read.parquet(str(folder))
    missing = {c.name: F.lit(None).cast(c.type) for c in EVENTS.columns if c.name not in drawn.columns}
    append(lake, EVENTS, drawn.withColumns(missing))


def append_identities(lake: Lake, profiles: int) -> None:
    """The identifiers of so many profiles, in ``silver.identities``: the loyalty number is the anchor."""
    from conf.tables.silver import IDENTITIES
    from jobs.runtime.lake import append, ensure_table

    spark = local_session()
    ensure_table(spark, lake, IDENTITIES)
    numbers = spark.range(profiles).withColumnRenamed("id", "customer")
    loyalty = _identities(numbers, "loyalty")
    append(lake, IDENTITIES, loyalty.unionByName(_identities(numbers.where("customer % 2 = 0"), "browser")))


def _identities(numbers: DataFrame, kind: str) -> DataFrame:
    from conf.tables.silver import IDENTITIES

    profile = "md5(concat('loyalty-', customer))"
    told = {
        "identifier_id": f"md5(concat('{kind}-', customer))",
        "namespace": "'loyalty_id'" if kind == "loyalty" else "'cookie_id'",
        "component_id": profile,
        "profile_id": profile,
    }
    return numbers.selectExpr(
        *(f"cast({told.get(c.name, 'null')} as {c.type.simpleString()}) as {c.name}" for c in IDENTITIES.columns)
    )
