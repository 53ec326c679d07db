"""Measures that are edited under a champion: who is assigned by what until a model of the new ones serves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.project import load_project
from conf.segments import SegmentsConfig
from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS
from conf.tables.silver import IDENTITIES
from jobs.assign_segments import assign_segments
from jobs.runtime.lake import Lake, fetch
from jobs.runtime.merge import merge
from jobs.runtime.run_log import read_run_log
from jobs.runtime.stage import Outcome, Run
from jobs.train_segments import tracking_of, train_segments
from models.registry import promote
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame

QUICK = {"k": [4], "seed": 1, "starts": 1, "finalists": 1, "resamples": 0}
TOTAL = default_config(clusters=QUICK, gate={"approval": "person"})
MEAN_DAY = default_config(clusters=QUICK, gate={"approval": "person"}, monetary="mean_day")


@dataclass
class Shop:
    """A lake with customers, and what was assigned in it."""

    spark: SparkSession
    lake: Lake

    def run(self, config: SegmentsConfig) -> Run:
        project = replace(load_project(lake=self.lake.root), segments=config)
        return Run(project, self.lake, "a-run", AS_OF, read_run_log(None, self.lake), lambda: self.spark, AS_OF)

    def assign(self, config: SegmentsConfig) -> Outcome:
        (outcome,) = assign_segments(self.run(config))
        return outcome

    def promote(self, version: str) -> None:
        promote(tracking_of(self.run(TOTAL)), version)

    @property
    def versions(self) -> set[str]:
        """The models by which customers are assigned now."""
        rows = fetch(None, self.lake, SEGMENT_ASSIGNMENTS.name, ("model_version",), "is_current")
        return set(rows["model_version"].to_pylist())


@pytest.fixture(scope="module")
def story(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What stages said: a champion assigns, the measures are edited, taken back, edited again; then a person approves."""
    shop = Shop(spark, Lake(str(tmp_path_factory.mktemp("edited"))))
    rows = cohort_rows()
    whose = [_identity(row["profile_id"]) for row in rows]
    merge(spark, shop.lake, IDENTITIES, spark.createDataFrame(whose, IDENTITIES.schema))
    merge(spark, shop.lake, RFM, rfm_frame(spark, rows[:-1]))
    train_segments(shop.run(TOTAL))
    shop.promote("1")
    told: dict[str, Any] = {"first": shop.assign(TOTAL)}
    (told["trained"],) = train_segments(shop.run(MEAN_DAY))
    told |= {"waiting": shop.assign(MEAN_DAY), "by while waiting": shop.versions, "again": shop.assign(MEAN_DAY)}
    merge(spark, shop.lake, RFM, rfm_frame(spark, rows))
    told |= {"a customer more": shop.assign(MEAN_DAY), "taken back": shop.assign(TOTAL)}
    shop.promote("2")
    told |= {"approved": shop.assign(MEAN_DAY), "by after approval": shop.versions}
    return told


def _identity(profile: str) -> tuple[Any, ...]:
    row = {"identifier_id": profile, "namespace": "card", "component_id": profile, "profile_id": profile}
    return tuple(row.get(name) for name in IDENTITIES.column_names)


def test_a_champion_of_other_measures_assigns_nobody_and_the_note_names_who_waits(story: dict[str, Any]) -> None:
    assert story["trained"].why == "measures changed"
    assert story["waiting"].counts == {
        "notes": [
            "Nobody was assigned: version 1, the champion, was trained on other measures than segments.yml has.",
            "Version 2 waits: `c360 promote-segments` makes it champion.",
        ]
    }
    assert story["by while waiting"] == {"1"}
    assert not story["again"].ran


def test_who_was_not_assigned_meanwhile_is_when_the_measures_are_taken_back(story: dict[str, Any]) -> None:
    assert story["a customer more"].counts["keys"] == 1
    assert "assignments" not in story["a customer more"].counts
    assert story["taken back"].why == "measures changed"
    assert story["taken back"].counts["assignments"]["inserted"] == 1


def test_everybody_is_assigned_by_the_model_that_was_approved(story: dict[str, Any]) -> None:
    assert story["approved"].why == "champion, measures changed"
    assert story["by after approval"] == {"2"}
