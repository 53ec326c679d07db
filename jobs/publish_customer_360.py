"""Publish the customer 360: one row per profile, joined from the tables that the other stages keep."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from conf.project import Project, fingerprint
from conf.tables.consents import CONSENTS
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.measures import activity_measures_table
from conf.tables.silver import ACTIVITY, IDENTITIES, profile_attributes_table
from jobs.runtime.lake import ensure_table, read, union
from jobs.runtime.merge import merge
from jobs.runtime.scratch import hold
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from jobs.score_rfm import profiles_of_activity
from jobs.write_views import create_views
from transforms.profile.customer_360 import build_customer_360
from transforms.profile.measures import days_crossing, measure_profiles

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def publish_customer_360(run: Run) -> list[Outcome]:
    """Recomputes the profiles of which any part changed, and those of whom a day left a window or came into one."""
    return [run_stage(run, publish_stage(run.project))]


def publish_stage(project: Project) -> Stage:
    """Its keys are profiles."""
    attributes = profile_attributes_table(project.profile).name
    measures = (activity_measures_table(project.profile).name,) if project.profile.event_measures else ()
    consents = (CONSENTS.name,) if project.profile.consents else ()
    scored = (RFM.name, RFM_SCORES.name, SEGMENT_ASSIGNMENTS.name)
    return Stage(
        name="publish-customer-360",
        reads=(IDENTITIES.name, ACTIVITY.name, *measures, attributes, *consents, *scored),
        writes=(customer_360_table(project.profile).name,),
        fingerprint=lambda p: fingerprint("customer 360 3", p.profile, tuple(p.identity.namespaces)),
        keys=_changed_profiles,
        body=_publish,
        uses_as_of=project.profile.has_windows,
        keys_crossing=_profiles_crossing if project.profile.has_windows else None,
    )


def _changed_profiles(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    of_days = {ACTIVITY.name, activity_measures_table(run.project.profile).name}
    frames = [feed.select("profile_id") for name, feed in feeds.items() if name not in of_days]
    days = [feed.select("identifier_id") for name, feed in feeds.items() if name in of_days]
    if days:
        frames.append(profiles_of_activity(run, {ACTIVITY.name: union(days)}))
    return union(frames)


def _profiles_crossing(run: Run, before: datetime) -> DataFrame:
    assert run.as_of is not None
    profile, as_of = run.project.profile, run.as_of.date()
    tables = [ACTIVITY, *([activity_measures_table(profile)] if profile.event_measures else [])]
    crossing = [days_crossing(read(run.spark, run.lake, table), profile, before.date(), as_of) for table in tables]
    return profiles_of_activity(run, {ACTIVITY.name: union(crossing)})


def _publish(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, project = run.spark, run.lake, run.project
    attributes = profile_attributes_table(project.profile)
    tables = (attributes, CONSENTS, ACTIVITY, RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS)
    for table in tables:
        ensure_table(spark, lake, table)
    of_profiles = (IDENTITIES, attributes, CONSENTS, RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS)
    parts = [changes.of_keys(read(spark, lake, table)) for table in of_profiles]
    identities, told, consents, rfm, scores, assignments = parts
    identities = hold(spark, identities, changes.few)  # each kind of measure reads them
    current = assignments.where("is_current")
    measures = _measures(run, read(spark, lake, ACTIVITY), identities)
    rows = build_customer_360(identities, told, consents, measures, rfm, scores, current, project.identity, project.profile)
    table = customer_360_table(project.profile)
    counts = merge(spark, lake, table, rows, scope=changes.keys, scope_keys=("profile_id",), few=changes.few)
    if changes.keys is None:  # as at first, and after every change of what is declared
        create_views(spark, lake, project.profile)
    return {"profiles": counts}


def _measures(run: Run, activity: DataFrame, identities: DataFrame) -> DataFrame:
    profile = run.project.profile
    table = activity_measures_table(profile)
    days = activity
    if profile.event_measures:
        ensure_table(run.spark, run.lake, table)
        days = read(run.spark, run.lake, table)
    as_of = run.as_of.date() if run.as_of else date.min  # without an event there is no "now", and nothing to measure
    return measure_profiles(days, activity, identities.select("identifier_id", "profile_id"), profile, as_of)
