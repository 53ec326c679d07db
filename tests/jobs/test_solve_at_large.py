"""In parts = in one task: the same identities and the same links, column by column, for hundreds of drawn graphs at once."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.identity import IdentityConfig
from jobs.runtime.lake import Lake
from jobs.runtime.scratch import scratch
from jobs.solve_at_large import contract_to_stars, solve_at_large
from tests.transforms.identity.drawn import IDS, LAST_DAY, frame_of
from tests.transforms.identity.frames import spark_links
from tests.transforms.identity.oracle import Link
from tests.transforms.identity.scenario import day
from transforms.identity.resolve import identities_of, links_of, pack_links, solve, unpacked_links
from transforms.identity.rules import Pair, ResolutionRules
from transforms.identity.stars import edges_of

GRAPHS = 400
CONFIG = IdentityConfig(
    namespaces=[
        {"name": "crm_id", "max_per_profile": 1, "max_linked": 5},
        {"name": "email", "max_per_profile": 2, "max_linked": 6},
        {"name": "device_id", "kind": "device", "max_linked": 4},
        {"name": "cookie_id", "kind": "browser", "max_linked": 4, "expires_after": "5d"},
    ],
    max_identifiers_per_profile=7,
)


def drawn_world(chance: random.Random) -> tuple[list[Link], ResolutionRules]:
    """Graphs that do not know each other, crowded, and what people decided in some; a few decisions join two graphs."""
    links, decisions = [], list[list[Pair]]([[], []])
    for graph in range(GRAPHS):
        ids = [f"{one}-{graph:03d}" for one in IDS]
        for one, other in sorted({tuple(chance.choices(ids, k=2)) for _ in range(chance.randint(1, 16))}):
            first, last = sorted((chance.randint(0, LAST_DAY), chance.randint(0, LAST_DAY)))
            links.append(Link(one, other, day(first), day(last), chance.randint(1, 3)))
        if graph % 4 == 0:
            decisions[graph % 8 // 4].append((chance.choice(ids), chance.choice(ids)))
        if graph % 40 == 0:
            decisions[0].append((chance.choice(ids), f"{chance.choice(IDS)}-{chance.randrange(GRAPHS):03d}"))
    return links, ResolutionRules(CONFIG, tuple(decisions[0]), tuple(decisions[1]), as_of=day(LAST_DAY))


@pytest.mark.parametrize("parts", [7])
def test_in_parts_everything_comes_out_as_in_one_task(spark: SparkSession, tmp_path: Path, parts: int) -> None:
    lake = Lake(str(tmp_path / "lake"))
    drawn, rules = drawn_world(random.Random(8))
    chosen = F.pmod(F.xxhash64("identifier_id", "other_identifier_id"), F.lit(20))
    links = spark_links(spark, frame_of(drawn)).withColumns(
        {  # now and then one is only listed, or leads to somebody who is none of ours
            "blocked": F.when(chosen == 0, F.lit("blocked_value")),
            "settled": F.when(chosen == 1, F.lit("expired")),
        }
    )
    links = scratch(spark, lake, "drawn", links)
    whole = scratch(spark, lake, "whole", solve(links, rules))
    apart = scratch(spark, lake, "apart", solve_at_large(spark, lake, links, rules, parts))
    expected, expected_links = rows(identities_of(whole)), rows(links_of(whole))
    assert apart.count() > 1
    assert set(expected["reason"]) == {"hub", "anchor", "linked", "severed", "alone"}
    assert {"unlinked", "expired", "hub", "blocked_value", "limit:total", "limit:crm_id"} <= set(
        expected_links["severed"].dropna()
    )
    pd.testing.assert_frame_equal(rows(identities_of(apart)), expected)
    pd.testing.assert_frame_equal(rows(links_of(apart)), expected_links)


def rows(frame: DataFrame) -> pd.DataFrame:
    keys = [name for name in ("identifier_id", "other_identifier_id") if name in frame.columns]
    return frame.toPandas().sort_values(keys, ignore_index=True)


def test_a_long_chain_and_a_giant_star_become_stars_around_their_smallest(spark: SparkSession, tmp_path: Path) -> None:
    chain = (
        spark.range(3_000).selectExpr("id", "id + 1 as next").selectExpr("sha2(string(id), 256) a", "sha2(string(next), 256) b")
    )
    star = spark.range(3_000).selectExpr("'hub' as a", "concat('leaf ', id) as b")
    pairs = chain.unionAll(star).selectExpr("a as identifier_id", "b as other_identifier_id")
    stars = contract_to_stars(spark, Lake(str(tmp_path)), edges_of(pairs)).toPandas()
    smallest = spark.range(3_001).agg(F.min(F.sha2(F.col("id").cast("string"), 256))).first()[0]
    assert stars.groupby("root").size().to_dict() == {smallest: 3_000, "hub": 3_000}
    assert stars["vertex"].is_unique


def test_packed_links_unpack_to_what_they_were(spark: SparkSession) -> None:
    drawn, _ = drawn_world(random.Random(9))
    links = spark_links(spark, frame_of(drawn[:50])).withColumn("blocked", F.lit(None).cast("string"))
    links = links.withColumn("settled", F.when(F.col("times") == 1, F.lit("hub")))
    unpacked = unpacked_links(pack_links(links))
    pd.testing.assert_frame_equal(rows(unpacked), rows(links.select(*unpacked.columns)))
