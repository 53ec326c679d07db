"""The measures of the shipped ``profile.yml``, made without the suite: from events and identities alone, all at once.

Written for its very declaration, window by window. A value with most of something is, of equals, the one seen last, then the
first in order, as the suite promises; every other result has one answer.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.partitions import files_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NUMBERS = (
    *(f"orders_{days}d" for days in (7, 30, 90, 365)),
    *(f"spend_{days}d" for days in (7, 30, 90, 365)),
    "items_30d",
    "items_365d",
    "refunds_365d",
    "average_order_value",
    *(f"products_viewed_{days}d" for days in (7, 30, 90)),
    "preferred_hour_365d",
)
TEXTS = ("preferred_category_365d", "preferred_brand_365d", "preferred_store_365d", "preferred_size_365d")
MAPS = ("first_seen_by_channel", "last_seen_by_channel", "open_cart_30d")
LISTS = ("last_products_viewed",)


def measures_digest(folder: Path, among: Path | None = None) -> dict[str, Any]:
    """How many profiles a Delta table or a folder of Parquet files holds, and a digest of their every measure; with ``among``,
    only of profiles that Parquet files there name.
    """
    import duckdb

    files = ", ".join(f"'{file}'" for file in files_of(folder))
    numbers = [f"{name}::decimal(18,3)" for name in NUMBERS]
    maps = [f"list_sort([{{'k': e.key, 'v': epoch_us(e.value)}} for e in map_entries({name})])" for name in MAPS]
    where = f"where profile_id in (select profile_id from read_parquet('{among}/*.parquet'))" if among else ""
    query = f"""
        select count(*), sum(hash(profile_id, {", ".join([*numbers, *TEXTS, *maps, *LISTS])})::hugeint)::varchar
        from read_parquet([{files}]) {where}
    """
    profiles, digest = duckdb.sql(query).fetchall()[0]
    return {"profiles": profiles, "digest": digest}


def measure_with_spark(events: DataFrame, identities: DataFrame, as_of: date) -> DataFrame:
    """Events and identities -> one row per profile, by a group-by for each kind of measure."""
    from pyspark.sql import functions as F

    held = identities.select(F.col("identifier_id").alias("primary_identifier_id"), "profile_id")
    named = events.join(held, "primary_identifier_id", "inner")
    parts = [
        identities.select("profile_id").distinct(),
        _orders(named, as_of),
        _totals(named, as_of),
        _channels(named),
        *(_tops(named.where(_is_in(365, as_of)))),
        _cart(named.where(_is_in(30, as_of))),
        _viewed(named),
    ]
    joined = reduce(lambda left, right: left.join(right, "profile_id", "left"), parts)
    counts = [f"orders_{days}d" for days in (7, 30, 90, 365)]
    filled = joined.fillna(0, subset=[name for name in NUMBERS if name in joined.columns and name != "preferred_hour_365d"])
    mean = F.when(F.col("orders_365d") > 0, F.col("spend_365d") / F.col("orders_365d")).cast("decimal(18,2)")
    return filled.select("profile_id", *counts, *(n for n in joined.columns if n not in ("profile_id", *counts)),
                         mean.alias("average_order_value"))  # fmt: skip


def _is_in(days: int, as_of: date) -> Column:
    from pyspark.sql import functions as F

    return (F.col("occurred_on") > F.date_sub(F.lit(as_of), days)) & (F.col("occurred_on") <= F.lit(as_of))


def _is(event_type: str) -> Column:
    from pyspark.sql import functions as F

    return F.col("event_type") == event_type


def _orders(named: DataFrame, as_of: date) -> DataFrame:
    from pyspark.sql import functions as F

    lines = named.where(_is("purchase"))
    orders = lines.groupBy("profile_id", "occurred_on", "source", "order_id").agg(F.sum("revenue").alias("paid"))
    counts = [F.count(F.when(_is_in(days, as_of), 1)).alias(f"orders_{days}d") for days in (7, 30, 90, 365)]
    return orders.where(F.col("paid") > 0).groupBy("profile_id").agg(*counts)


def _totals(named: DataFrame, as_of: date) -> DataFrame:
    from pyspark.sql import functions as F

    def total(kind: str, column: str, days: int, to: str) -> Column:
        return F.sum(F.when(_is(kind) & _is_in(days, as_of), F.col(column))).cast(to)

    money, units = "decimal(18,2)", "decimal(18,3)"
    return named.groupBy("profile_id").agg(
        *(total("purchase", "revenue", days, money).alias(f"spend_{days}d") for days in (7, 30, 90, 365)),
        *(total("purchase", "quantity", days, units).alias(f"items_{days}d") for days in (30, 365)),
        total("return", "revenue", 365, money).alias("refunds_365d"),
        *(
            F.count(F.when(_is("product_view") & _is_in(days, as_of), 1)).alias(f"products_viewed_{days}d")
            for days in (7, 30, 90)
        ),
    )


def _channels(named: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    times = (F.min("occurred_at").alias("first_at"), F.max("occurred_at").alias("last_at"))
    seen = named.where(F.col("channel").isNotNull()).groupBy("profile_id", "channel").agg(*times)
    first, last = (F.map_from_entries(F.collect_list(F.struct("channel", at))) for at in ("first_at", "last_at"))
    return seen.groupBy("profile_id").agg(first.alias("first_seen_by_channel"), last.alias("last_seen_by_channel"))


def _tops(named: DataFrame) -> list[DataFrame]:
    from pyspark.sql import functions as F

    bought = named.where(_is("purchase")).withColumn("size", F.col("attributes")["size"])
    hours = named.withColumn("hour", F.hour("occurred_at"))
    return [
        _top(bought, "category", F.count(F.lit(1)), "preferred_category_365d"),
        _top(bought, "brand", F.sum("revenue"), "preferred_brand_365d"),
        _top(bought, "store", F.count(F.lit(1)), "preferred_store_365d"),
        _top(bought, "size", F.count(F.lit(1)), "preferred_size_365d"),
        _top(hours, "hour", F.count(F.lit(1)), "preferred_hour_365d"),
    ]


def _top(named: DataFrame, value: str, much: Column, name: str) -> DataFrame:
    from pyspark.sql import functions as F

    told = named.where(F.col(value).isNotNull()).groupBy("profile_id", value)
    by_value = told.agg((-much).alias("most"), (-F.unix_micros(F.max("occurred_at"))).alias("newest"))
    best = F.min(F.struct("most", "newest", F.col(value).cast("string").alias("text"), value))
    return by_value.groupBy("profile_id").agg(best[value].alias(name))


def _cart(named: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    by_product = named.groupBy("profile_id", "product_id").agg(
        F.max(F.when(_is("add_to_cart"), F.col("occurred_at"))).alias("added"),
        F.max(F.when(_is("purchase"), F.col("occurred_at"))).alias("bought"),
    )
    is_open = F.col("added").isNotNull() & (F.col("bought").isNull() | (F.col("added") > F.col("bought")))
    entries = F.collect_list(F.struct("product_id", "added"))
    return by_product.where(is_open).groupBy("profile_id").agg(F.map_from_entries(entries).alias("open_cart_30d"))


def _viewed(named: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    views = named.where(_is("product_view") & F.col("product_id").isNotNull())
    newest = (-F.unix_micros(F.max("occurred_at"))).alias("newest")
    by_product = views.groupBy("profile_id", "product_id").agg(newest)
    in_order = F.slice(F.array_sort(F.collect_list(F.struct("newest", "product_id"))), 1, 5)
    return by_product.groupBy("profile_id").agg(in_order["product_id"].alias("last_products_viewed"))


def measure_with_duckdb(events: Path, identities: Path, as_of: date, target: Path) -> None:
    """The same from the Parquet files of two Delta tables, as one Parquet file in a new folder."""
    import duckdb

    from benchmarks.contending import CORES

    target.mkdir()
    files = {name: ", ".join(f"'{file}'" for file in files_of(path)) for name, path in (("e", events), ("i", identities))}
    connection = duckdb.connect(str(target.parent / "duckdb.db"))  # what does not fit into memory goes there
    connection.execute(f"set threads = {CORES}; set timezone = 'UTC'")
    connection.execute(f"""
        create temp table named as
        select profile_id, occurred_at, occurred_on, event_type, source, order_id, product_id, category, brand, store, channel,
               quantity, revenue, attributes['size'] as size
        from read_parquet([{files["e"]}]) e join read_parquet([{files["i"]}]) i on e.primary_identifier_id = i.identifier_id
    """)
    people = f"(select distinct profile_id from read_parquet([{files['i']}]))"
    connection.execute(f"copy ({_question(as_of, people)}) to '{target}/part.parquet' (format parquet)")


def _question(as_of: date, people: str) -> str:
    def within(days: int) -> str:
        return f"occurred_on > date '{as_of}' - {days} and occurred_on <= date '{as_of}'"

    def total(kind: str, column: str, days: int) -> str:
        return f"coalesce(sum({column}) filter (event_type = '{kind}' and {within(days)}), 0)"

    def top(value: str, much: str, name: str, where: str) -> str:
        return f"""(
            select profile_id, arg_min(value, (-much, -newest, value::varchar)) as {name} from (
                select profile_id, {value} as value, {much} as much, epoch_us(max(occurred_at)) as newest from told
                where {where} and {value} is not null and {within(365)} group by all
            ) group by profile_id)"""

    bought = "event_type = 'purchase'"
    totals = [f"{total('purchase', 'revenue', days)}::decimal(18,2) as spend_{days}d" for days in (7, 30, 90, 365)]
    totals += [f"{total('purchase', 'quantity', days)} as items_{days}d" for days in (30, 365)]
    totals += [f"{total('return', 'revenue', 365)} as refunds_365d"]
    totals += [f"count(*) filter (event_type = 'product_view' and {within(d)}) as products_viewed_{d}d" for d in (7, 30, 90)]
    counts = [f"count(*) filter ({within(days)}) as orders_{days}d" for days in (7, 30, 90, 365)]
    numbers = [f"coalesce({name}, 0) as {name}" for name in NUMBERS if not name.startswith(("average", "preferred"))]
    return f"""
        with told as (from named),
        orders as (
            select profile_id, {", ".join(counts)} from (
                select profile_id, occurred_on, source, order_id from told where {bought} group by all having sum(revenue) > 0
            ) group by profile_id),
        totals as (select profile_id, {", ".join(totals)} from told group by profile_id),
        channels as (
            select profile_id, map_from_entries(list((channel, first_at))) as first_seen_by_channel,
                   map_from_entries(list((channel, last_at))) as last_seen_by_channel
            from (select profile_id, channel, min(occurred_at) as first_at, max(occurred_at) as last_at from told
                  where channel is not null group by all) group by profile_id),
        carts as (
            select profile_id, map_from_entries(list((product_id, added))) as open_cart_30d from (
                select profile_id, product_id, max(occurred_at) filter (event_type = 'add_to_cart') as added,
                       max(occurred_at) filter ({bought}) as bought
                from told where {within(30)} group by all
            ) where added is not null and (bought is null or added > bought) group by profile_id),
        viewed as (
            select profile_id, list(product_id order by newest desc, product_id)[1:5] as last_products_viewed from (
                select profile_id, product_id, max(occurred_at) as newest from told
                where event_type = 'product_view' and product_id is not null group by all
            ) group by profile_id)
        select profile_id, {", ".join(numbers)},
               case when orders_365d > 0 then
                   (((spend_365d * 100)::bigint * 2 + orders_365d) // (2 * orders_365d)) / 100 end as average_order_value,
               {", ".join(("preferred_hour_365d", *TEXTS, *MAPS, *LISTS))}
        from {people} left join orders using (profile_id) left join totals using (profile_id)
        left join channels using (profile_id) left join carts using (profile_id) left join viewed using (profile_id)
        left join {top("category", "count(*)", "preferred_category_365d", bought)} using (profile_id)
        left join {top("brand", "sum(revenue)", "preferred_brand_365d", bought)} using (profile_id)
        left join {top("store", "count(*)", "preferred_store_365d", bought)} using (profile_id)
        left join {top("size", "count(*)", "preferred_size_365d", bought)} using (profile_id)
        left join {top("hour(occurred_at)", "count(*)", "preferred_hour_365d", "true")} using (profile_id)
    """
