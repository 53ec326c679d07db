"""Build profiles: what each identifier did on each day, and each profile's attributes by merge policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project, fingerprint
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES, RECORDS, profile_attributes_table
from jobs.runtime.lake import merge, read, union
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from transforms.profile.activity import summarise_activity
from transforms.profile.survivorship import surviving_attributes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def build_profiles(run: Run) -> list[Outcome]:
    """Activity first, then attributes; neither reads the other."""
    return [run_stage(run, activity_stage()), run_stage(run, attributes_stage(run.project))]


def activity_stage() -> Stage:
    """Its keys are the days of identifiers on which an event changed."""
    return Stage(
        name="build-activity",
        reads=(EVENTS.name,),
        writes=(ACTIVITY.name,),
        fingerprint=lambda p: fingerprint("activity 1"),
        keys=lambda run, feeds: _days(union(list(feeds.values()))).distinct(),
        body=_build_activity,
    )


def _days(events: DataFrame) -> DataFrame:
    named = events.where(F.col("primary_identifier_id").isNotNull())
    return named.select(F.col("primary_identifier_id").alias("identifier_id"), F.col("occurred_on").alias("activity_on"))


def _build_activity(run: Run, changes: Changes) -> dict[str, Any]:
    events = read(run.spark, run.lake, EVENTS)
    if changes.keys is not None:
        days = changes.keys.select(
            F.col("identifier_id").alias("primary_identifier_id"), F.col("activity_on").alias("occurred_on")
        )
        events = events.join(F.broadcast(days), ["primary_identifier_id", "occurred_on"], "left_semi")
    rows = summarise_activity(events)
    return {"activity": merge(run.spark, run.lake, ACTIVITY, rows, scope=changes.keys, scope_keys=ACTIVITY.keys)}


def attributes_stage(project: Project) -> Stage:
    """Its keys are the profiles whose records, or whose identifiers, changed."""
    return Stage(
        name="build-attributes",
        reads=(RECORDS.name, IDENTITIES.name),
        writes=(profile_attributes_table(project.profile).name,),
        fingerprint=lambda p: fingerprint(p.profile),
        keys=_changed_profiles,
        body=_build_attributes,
    )


def _changed_profiles(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    frames = []
    if IDENTITIES.name in feeds:  # both images: the profile an identifier left, and the one it came to
        frames.append(feeds[IDENTITIES.name].select("profile_id"))
    if RECORDS.name in feeds:
        identities = read(run.spark, run.lake, IDENTITIES)
        about = feeds[RECORDS.name].select(F.col("primary_identifier_id").alias("identifier_id")).distinct()
        frames.append(identities.join(F.broadcast(about), "identifier_id", "left_semi").select("profile_id"))
    return union(frames).distinct()


def _build_attributes(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, profile = run.spark, run.lake, run.project.profile
    identities = read(spark, lake, IDENTITIES)
    if changes.keys is not None:
        identities = identities.join(F.broadcast(changes.keys), "profile_id", "left_semi")
    rows = surviving_attributes(read(spark, lake, RECORDS), identities, profile)
    table = profile_attributes_table(profile)
    return {"attributes": merge(spark, lake, table, rows, scope=changes.keys, scope_keys=("profile_id",))}
