"""Resolution on Spark gives what the solver gives, in the contracts of the tables."""

from __future__ import annotations

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.identity import IdentityConfig
from conf.tables.silver import IDENTITIES, IDENTITY_LINKS
from tests.transforms.identity.frames import spark_links
from tests.transforms.identity.scenario import config_of, events_of, links_of
from transforms.identity.components import solve_identities
from transforms.identity.resolve import identities_of, solve
from transforms.identity.resolve import links_of as solved_links
from transforms.identity.rules import ResolutionRules

TABLET = "crm_id: Tom, cookie_id: 1\ncrm_id: Summer, cookie_id: 1\nemail: a, device_id: d\nemail: b, device_id: d"


@pytest.fixture(scope="module")
def config() -> IdentityConfig:
    return config_of(device_id={"max_linked": 1})


@pytest.mark.parametrize("partitions", [1, 3])
def test_solves_in_one_task_what_the_solver_solves(spark: SparkSession, config: IdentityConfig, partitions: int) -> None:
    frame = links_of(events_of(TABLET), config)
    rules = ResolutionRules(config)
    expected, expected_links = solve_identities(frame, rules)
    solved = solve(spark_links(spark, frame).repartition(partitions), rules)
    identities, links = identities_of(solved), solved_links(solved)
    assert identities.columns == list(IDENTITIES.column_names)
    assert links.columns == list(IDENTITY_LINKS.column_names)
    assert rows_of(identities.toPandas(), "identifier_id") == rows_of(expected, "identifier_id")
    keys = ("identifier_id", "other_identifier_id", "severed")
    assert rows_of(links.toPandas(), *keys) == rows_of(expected_links, *keys)
    assert {tuple(row.sources) for row in links.collect()} == {("web",)}


def rows_of(frame: pd.DataFrame, *columns: str) -> set[tuple[object, ...]]:
    picked = frame[list(columns)] if len(columns) > 1 else frame[[*columns, "profile_id", "component_id", "reason"]]
    return set(picked.astype(object).where(picked.notna(), None).itertuples(index=False, name=None))


def test_times_and_counts_come_back_as_they_went(spark: SparkSession, config: IdentityConfig) -> None:
    frame = links_of(events_of("email: a\nemail: a"), config)
    row = identities_of(solve(spark_links(spark, frame), ResolutionRules(config))).selectExpr(
        "cast(first_seen AS string)", "cast(last_seen AS string)", "times"
    )
    assert tuple(row.first()) == ("2017-01-01 00:00:00", "2017-01-02 00:00:00", 2)


def test_no_links_are_no_identities(spark: SparkSession, config: IdentityConfig) -> None:
    assert solve(spark_links(spark, links_of([], config)), ResolutionRules(config)).count() == 0
