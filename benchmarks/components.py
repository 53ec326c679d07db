"""Connected components of millions of links: ours, as the stage finds them, against what else one would take.

Ours reads all columns of ``silver.identity_links`` from Delta, solves with hubs, limits and reasons (none of which this
data reaches), and writes ``silver.identities``. The others read two columns of text, find components and nothing else,
and write two. Run as a module with a contender, a data folder and a target folder, this file is that contender.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import CORES, DRIVER_MEMORY, contender, local_session, part, run
from benchmarks.drawn_links import NAMESPACES, SEED, SHAPES, write_links
from benchmarks.harness import ROOT, Comparison
from benchmarks.partitions import digest_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NAME = "components"
MORE_THAN_ANY = 2**40
PEERS = ("splink", "splink-numbers", "star-contraction", "scipy")


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and the others over the links of a size, which are written into ``cache`` once."""
    data = _links(size, cache / f"components-{size}").resolve()
    shape = SHAPES[size]
    work = {"seed": SEED, **shape.__dict__, "cores": CORES, "driver_memory": DRIVER_MEMORY}
    contenders = [
        contender("benchmarks.components", name, data, lambda folder: digest_of(folder / "partition"))
        for name in ("ours", *PEERS, "ours-at-large")
    ]
    return Comparison(NAME, size, work, "partition", tuple(contenders))


def _links(size: str, folder: Path) -> Path:
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
        write_links(SHAPES[size], folder / "links")
        subprocess.run([sys.executable, "-m", "benchmarks.components", "lake", str(folder), str(folder)], cwd=ROOT, check=True)
        (folder / "done").touch()
    return folder


def write_lake(data: Path, target: Path) -> None:
    """The links as the stage keeps them: a Delta table by its contract."""
    from conf.tables.silver import IDENTITY_LINKS
    from jobs.runtime.lake import Lake, append, ensure_table

    spark, lake = local_session(), Lake(str(target / "lake"))
    ensure_table(spark, lake, IDENTITY_LINKS)
    append(lake, IDENTITY_LINKS, spark.read.parquet(str(data / "links")))


def solve_ours(data: Path, target: Path) -> None:
    """The stage's way: links from Delta through the solver, what it found written down, identities to Delta."""
    from transforms.identity.resolve import solve

    _solve_on_spark(data, target, lambda spark, lake, links, rules: solve(links, rules))


def _solve_on_spark(data: Path, target: Path, solve: Callable[..., DataFrame]) -> None:
    from conf.identity import IdentityConfig
    from conf.tables.silver import IDENTITIES, IDENTITY_LINKS
    from jobs.runtime.lake import Lake, read
    from jobs.runtime.merge import merge
    from jobs.runtime.scratch import scratch
    from transforms.identity.resolve import identities_of
    from transforms.identity.rules import ResolutionRules

    namespaces = [{"name": name, "max_linked": MORE_THAN_ANY} for name in NAMESPACES]
    rules = ResolutionRules(IdentityConfig(namespaces=namespaces, max_identifiers_per_profile=MORE_THAN_ANY))
    with part("session"):
        spark, lake = local_session(), Lake(str(target / "lake"))
    with part("solve"):
        links = read(spark, Lake(str(data / "lake")), IDENTITY_LINKS).drop("severed")
        solved = scratch(spark, lake, "solved", solve(spark, lake, links, rules))
    with part("write identities"):
        merge(spark, lake, IDENTITIES, identities_of(solved))
    (target / "partition").symlink_to(target / "lake" / "silver" / "identities")


def solve_ours_at_large(data: Path, target: Path) -> None:
    """The stage's way above the number of links that one task may hold, in as many parts as for four tasks' worth."""
    from jobs.solve_at_large import solve_at_large

    _solve_on_spark(data, target, lambda *given: solve_at_large(*given, parts=16))


def cluster_with_splink(data: Path, target: Path) -> None:
    """Splink on DuckDB, over ids as they stand in the tables: text."""
    _cluster_with_splink(data, target, "{0}", "{0}")


def cluster_numbers_with_splink(data: Path, target: Path) -> None:
    """Splink on DuckDB, over ids as numbers of 128 bits, which are text again in what is written."""
    _cluster_with_splink(data, target, "('0x' || {0})::uhugeint", "lpad(lower(hex({0})), 32, '0')")


def _cluster_with_splink(data: Path, target: Path, given: str, written: str) -> None:
    import duckdb
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    with part("read"):
        connection = duckdb.connect(str(target / "splink.duckdb"))
        connection.execute(f"set threads = {CORES}")
        one, other = given.format("identifier_id"), given.format("other_identifier_id")
        links = f"read_parquet('{data}/links/*.parquet')"
        connection.execute(f"create table edges as select {one} as id_l, {other} as id_r from {links}")
        connection.execute("create table nodes as select id_l as id from edges union select id_r from edges")
    with part("cluster"):
        clusters = cluster_pairwise_predictions_at_threshold(
            "nodes", "edges", DuckDBAPI(connection), "id", "id_l", "id_r"
        ).physical_name
    with part("write"):
        columns = f"{written.format('id')} as identifier_id, {written.format('cluster_id')} as profile_id"
        _write_partition(connection, f"select {columns} from {clusters}", target)


def _write_partition(connection: Any, query: str, target: Path) -> None:
    (target / "partition").mkdir()
    connection.execute(f"copy ({query}) to '{target}/partition/part.parquet' (format parquet)")


def contract_stars(data: Path, target: Path) -> None:
    """Large stars and small stars in turn (Kiveris et al. 2014), in DataFrames over text, each step written down."""
    from pyspark.sql import functions as F

    from jobs.runtime.lake import Lake
    from jobs.runtime.scratch import scratch

    with part("session"):
        spark, lake = local_session(), Lake(str(target / "lake"))
    links = spark.read.parquet(str(data / "links"))
    edges = links.select(F.col("identifier_id").alias("u"), F.col("other_identifier_id").alias("v"))
    before, step = None, 0
    with part("contract"):
        while True:
            large = scratch(spark, lake, f"large_{step}", _star(_both_ways(edges), larger=True))
            downwards = large.select(F.greatest("u", "v").alias("u"), F.least("u", "v").alias("v"))
            edges = scratch(spark, lake, f"small_{step}", _star(downwards, larger=False))
            sums = edges.agg(F.count("*"), F.sum(F.xxhash64("u", "v").cast("decimal(38,0)"))).first()
            if sums == before:
                break
            before, step = sums, step + 1
    with part("write"):
        roots = edges.select(F.col("v").alias("u"), "v").distinct()
        found = edges.unionByName(roots).select(F.col("u").alias("identifier_id"), F.col("v").alias("profile_id"))
        found.write.parquet(str(target / "partition"))


def _both_ways(edges: DataFrame) -> DataFrame:
    return edges.select("u", "v").unionAll(edges.selectExpr("v as u", "u as v"))


def _star(edges: DataFrame, larger: bool) -> DataFrame:
    """Links every vertex's larger neighbours (or its smaller ones, and itself) to the smallest that it knows."""
    from pyspark.sql import functions as F

    smallest = edges.groupBy("u").agg(F.least(F.min("v"), F.col("u")).alias("m"))
    joined = edges.join(smallest, "u", "inner")
    if larger:
        return joined.where("v > u").selectExpr("v as u", "m as v").distinct()
    return joined.where("v != m").selectExpr("v as u", "m as v").unionAll(smallest.selectExpr("u", "m as v")).distinct()


def search_with_scipy(data: Path, target: Path) -> None:
    """The connected components of scipy over numbered ids, in one process and nothing else."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    with part("read"):
        links = pq.read_table(data / "links", columns=["identifier_id", "other_identifier_id"])
    with part("number"):
        ends = pa.chunked_array([*links["identifier_id"].chunks, *links["other_identifier_id"].chunks])
        codes, ids = pd.factorize(pd.Series(ends, dtype=pd.ArrowDtype(pa.string())))
    with part("components"):
        left, right = codes[: len(links)], codes[len(links) :]
        edges = coo_matrix(([True] * len(left), (left, right)), shape=(len(ids), len(ids)))
        _, label = connected_components(edges, directed=False)
    with part("write"):
        (target / "partition").mkdir()
        found = pa.table({"identifier_id": pa.array(ids), "profile_id": label})
        pq.write_table(found, target / "partition" / "part.parquet")


RUNNERS: dict[str, Callable[[Path, Path], None]] = {
    "lake": write_lake,
    "ours": solve_ours,
    "ours-at-large": solve_ours_at_large,
    "splink": cluster_with_splink,
    "splink-numbers": cluster_numbers_with_splink,
    "star-contraction": contract_stars,
    "scipy": search_with_scipy,
}


if __name__ == "__main__":
    run(RUNNERS)
