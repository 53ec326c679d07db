"""Publish the customer 360: one row per profile, joined from the tables that the other stages keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project, fingerprint
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.silver import ACTIVITY, IDENTITIES, profile_attributes_table
from jobs.runtime.lake import ensure_table, merge, read, union
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from jobs.score_rfm import profiles_of_activity
from transforms.profile.customer_360 import build_customer_360

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def publish_customer_360(run: Run) -> list[Outcome]:
    """Recomputes the profiles of which any part changed."""
    return [run_stage(run, publish_stage(run.project))]


def publish_stage(project: Project) -> Stage:
    """Its keys are profiles."""
    attributes = profile_attributes_table(project.profile).name
    return Stage(
        name="publish-customer-360",
        reads=(IDENTITIES.name, ACTIVITY.name, attributes, RFM.name, RFM_SCORES.name, SEGMENT_ASSIGNMENTS.name),
        writes=(customer_360_table(project.profile).name,),
        fingerprint=lambda p: fingerprint(p.profile, tuple(p.identity.namespaces)),
        keys=_changed_profiles,
        body=_publish,
    )


def _changed_profiles(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    of_activity = {name: feed for name, feed in feeds.items() if name in (IDENTITIES.name, ACTIVITY.name)}
    frames = [feed.select("profile_id") for name, feed in feeds.items() if name not in of_activity]
    if of_activity:
        frames.append(profiles_of_activity(run, of_activity))
    return union(frames).distinct()


def _publish(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, project = run.spark, run.lake, run.project
    attributes = profile_attributes_table(project.profile)
    for table in (attributes, ACTIVITY, RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS):
        ensure_table(spark, lake, table)
    parts = [read(spark, lake, table) for table in (IDENTITIES, attributes, ACTIVITY, RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS)]
    identities, told, activity, rfm, scores, assignments = parts
    if changes.keys is not None:
        of_keys = F.broadcast(changes.keys)
        identities, told, rfm, scores, assignments = (
            frame.join(of_keys, "profile_id", "left_semi") for frame in (identities, told, rfm, scores, assignments)
        )
    current = assignments.where("is_current")
    rows = build_customer_360(identities, told, activity, rfm, scores, current, project.identity, project.profile)
    table = customer_360_table(project.profile)
    return {"profiles": merge(spark, lake, table, rows, scope=changes.keys, scope_keys=("profile_id",))}
