"""Recency, frequency and monetary value from order lines, all of them at once: ours, as the stages make them, against a
plain group-by in Spark, DuckDB and Polars.

Ours sums lines up by order and by identifier and day (``silver.activity``, what late events, windows and merges are cheap
from), then by profile through identities (``gold.rfm``), and writes both as Delta. The others read four columns, group once
and write three numbers. Run as a module with a contender, a data folder and a target folder, this file is that contender.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import CORES, DRIVER_MEMORY, contender, local_session, part, run
from benchmarks.harness import ROOT, Comparison
from benchmarks.partitions import files_of

if TYPE_CHECKING:
    from jobs.runtime.lake import Lake

NAME = "rfm-speed"
SIZES = {"s": 1_000_000, "m": 6_000_000, "l": 30_000_000}
"""Order lines. Five make an order, and thirty a customer; they fall on 365 days."""
LINES_AN_ORDER, LINES_A_CUSTOMER, DAYS = 5, 30, 365
NUMBERS = ("last_purchase_at", "purchase_days", "revenue")


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and the others over the lines of a size, which are written into ``cache`` once."""
    data = lines_of(size, cache).resolve()
    work = {"lines": SIZES[size], "customers": SIZES[size] // LINES_A_CUSTOMER, "cores": CORES, "driver_memory": DRIVER_MEMORY}
    contenders = tuple(contender(__name__, name, data, digest_of) for name in RUNNERS if name != "lake")
    return Comparison(NAME, size, work, "rfm", contenders)


def lines_of(size: str, cache: Path) -> Path:
    """The folder with the lines of a size and a lake with its identities; made where it is missing."""
    folder = cache / f"rfm-{size}"
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
        write_lines(folder / "lines", SIZES[size], 0, SIZES[size])
        subprocess.run([sys.executable, "-m", "benchmarks.rfm_speed", "lake", str(folder), str(folder)], cwd=ROOT, check=True)
        (folder / "done").touch()
    return folder


def write_lines(target: Path, lines: int, first: int, last: int) -> None:
    """Lines ``first`` to ``last`` as Parquet, in the columns of ``silver.events`` that matter: each drawn by a hash of its
    number. Those beyond ``lines`` are of the day after.
    """
    import duckdb

    target.mkdir(parents=True)
    order = f"(n // {LINES_AN_ORDER})"
    day = f"case when n < {lines} then hash({order}, 'day') % {DAYS} else {DAYS} end"
    connection = duckdb.connect()
    connection.execute(f"set threads = {CORES}; set timezone = 'UTC'")
    connection.execute(f"""
        copy (
          select md5((hash({order}, 'customer') % {lines // LINES_A_CUSTOMER})::varchar) as primary_identifier_id,
                 'tills' as source, n::varchar as event_id, 'purchase' as event_type, {order}::varchar as order_id,
                 (date '2017-01-01' + ({day})::integer)::date as occurred_on,
                 (date '2017-01-01' + ({day})::integer + to_seconds((hash({order}, 'time') % 86400)::integer))::timestamptz
                   as occurred_at,
                 1::decimal(18,3) as quantity, ((hash(n, 'money') % 2000 + 1) / 100)::decimal(18,2) as revenue
          from range({first}, {last}) t(n)
        ) to '{target}' (format parquet, per_thread_output true)""")


def digest_of(target: Path) -> dict[str, Any]:
    """Customers, and a digest of everybody's three numbers, of the Delta table or the Parquet files in a contender's ``rfm``."""
    import duckdb

    listed = ", ".join(f"'{file}'" for file in files_of(target / "rfm"))
    numbers = "epoch_us(last_purchase_at), purchase_days::bigint, (revenue * 100)::bigint"
    query = f"select count(*), sum(hash(profile_id, {numbers})::hugeint)::varchar from read_parquet([{listed}])"
    customers, digest = duckdb.sql(query).fetchall()[0]
    return {"customers": customers, "digest": digest}


def write_identities(data: Path, target: Path) -> None:
    """Each customer's identifier as a profile of its own, as the stage keeps them."""
    from conf.tables.silver import IDENTITIES
    from jobs.runtime.lake import append, ensure_table

    spark, lake = local_session(), lake_in(target)
    ensure_table(spark, lake, IDENTITIES)
    lines = spark.read.parquet(str(data / "lines")).count()
    rows = spark.range(lines // LINES_A_CUSTOMER).selectExpr("md5(cast(id as string)) as identifier_id")
    told = {
        "identifier_id": "identifier_id",
        "namespace": "'loyalty_id'",
        "component_id": "identifier_id",
        "profile_id": "identifier_id",
    }
    columns = [f"cast({told.get(c.name, 'null')} as {c.type.simpleString()}) as {c.name}" for c in IDENTITIES.columns]
    append(lake, IDENTITIES, rows.selectExpr(*columns))


def lake_in(folder: Path) -> Lake:
    """The lake below a contender's or the data's folder."""
    from jobs.runtime.lake import Lake

    return Lake(str(folder / "lake"))


def score_ours(data: Path, target: Path) -> None:
    """The stages' way, over everything."""
    from conf.project import load_project
    from conf.tables.gold import RFM
    from conf.tables.silver import ACTIVITY, IDENTITIES
    from jobs.runtime.lake import read
    from jobs.runtime.merge import merge
    from transforms.profile.activity import summarise_activity
    from transforms.rfm import score_rfm

    with part("session"):
        spark, lake = local_session(), lake_in(target)
    with part("activity"):
        merge(spark, lake, ACTIVITY, summarise_activity(spark.read.parquet(str(data / "lines"))))
    with part("rfm"):
        identities = read(spark, lake_in(data), IDENTITIES)
        merge(spark, lake, RFM, score_rfm(read(spark, lake, ACTIVITY), identities, load_project().segments))
    (target / "rfm").symlink_to(target / "lake" / "gold" / "rfm")


def group_with_spark(data: Path, target: Path) -> None:
    """One group-by."""
    from pyspark.sql import functions as F

    with part("session"):
        spark = local_session()
    with part("rfm"):
        lines = spark.read.parquet(str(data / "lines")).groupBy(F.col("primary_identifier_id").alias("profile_id"))
        last, days, money = F.max("occurred_at"), F.countDistinct("occurred_on"), F.sum("revenue")
        rows = lines.agg(*(column.alias(name) for column, name in zip((last, days, money), NUMBERS, strict=True)))
        rows.write.format("delta").save(str(target / "rfm"))


def group_with_duckdb(data: Path, target: Path, folders: str = "lines") -> None:
    """One query, over the lines in these folders."""
    import duckdb

    (target / "rfm").mkdir()
    with part("rfm"):
        connection = duckdb.connect()
        connection.execute(f"set threads = {CORES}; set timezone = 'UTC'")
        connection.execute(f"""
            copy (select primary_identifier_id as profile_id, max(occurred_at) as last_purchase_at,
                         count(distinct occurred_on) as purchase_days, sum(revenue) as revenue
                  from read_parquet('{data}/{folders}/*.parquet') group by primary_identifier_id)
            to '{target}/rfm/part.parquet' (format parquet)""")


def group_with_polars(data: Path, target: Path) -> None:
    """One lazy query."""
    import polars as pl

    (target / "rfm").mkdir()
    with part("rfm"):
        lines = pl.scan_parquet(data / "lines" / "*.parquet").group_by(profile_id="primary_identifier_id")
        last, days, money = pl.col("occurred_at").max(), pl.col("occurred_on").n_unique(), pl.col("revenue").sum()
        rows = lines.agg(**dict(zip(NUMBERS, (last, days, money), strict=True)))
        rows.collect(engine="streaming").write_parquet(target / "rfm" / "part.parquet")


RUNNERS: dict[str, Callable[[Path, Path], None]] = {
    "ours": score_ours,
    "spark-group-by": group_with_spark,
    "duckdb": group_with_duckdb,
    "polars": group_with_polars,
    "lake": write_identities,
}


if __name__ == "__main__":
    run(RUNNERS)
