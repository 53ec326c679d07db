"""Build profiles: what each identifier did on each day, and each profile's attributes by merge policy."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.profile import ProfileConfig
from conf.project import Project, fingerprint
from conf.reading import raise_problems
from conf.tables.gold import customer_360_table
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES, RECORDS, profile_attributes_table
from jobs.runtime.lake import WIDER_TYPES, merge, read, types_of, union
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from transforms.profile.activity import summarise_activity
from transforms.profile.days import has_left
from transforms.profile.survivorship import surviving_attributes, unfit_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def build_profiles(run: Run) -> list[Outcome]:
    """Activity first, then attributes; neither reads the other."""
    check_types(run)
    return [run_stage(run, activity_stage()), run_stage(run, attributes_stage(run.project))]


def check_types(run: Run) -> None:
    """Raises ConfigurationError, before anything is written, where a table has a column of another type than is declared,
    which cannot be widened to it.
    """
    problems: dict[str, None] = {}
    for table in (profile_attributes_table(run.project.profile), customer_360_table(run.project.profile)):
        held = types_of(run.session_if_needed(), run.lake, table.name)
        for column in table.columns:
            found = held.get(column.name, column.type)
            if found != column.type and column.type not in WIDER_TYPES.get(found.simpleString(), ()):
                problems[
                    f"profile.yml: {column.name} is declared as {column.type.simpleString()}, and {table.name} has it as "
                    f"{found.simpleString()}, which cannot be widened to that: give it another name, or drop the table's column"
                ] = None
    raise_problems(list(problems))


def activity_stage() -> Stage:
    """Its keys are the days of identifiers on which an event changed."""
    return Stage(
        name="build-activity",
        reads=(EVENTS.name,),
        writes=(ACTIVITY.name,),
        fingerprint=lambda p: fingerprint("activity 1"),
        keys=lambda run, feeds: _days(union(list(feeds.values()))),
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
    """Its keys are the profiles whose records, or whose identifiers, changed, or a value of which expired."""
    return Stage(
        name="build-attributes",
        reads=(RECORDS.name, IDENTITIES.name),
        writes=(profile_attributes_table(project.profile).name,),
        fingerprint=lambda p: fingerprint(p.profile.attributes, "attributes 2"),
        keys=_changed_profiles,
        body=_build_attributes,
        uses_as_of=bool(project.profile.lifetimes),
        keys_crossing=_profiles_of_expired_values if project.profile.lifetimes else None,
    )


def _changed_profiles(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    frames = []
    if IDENTITIES.name in feeds:  # both images: the profile an identifier left, and the one it came to
        frames.append(feeds[IDENTITIES.name].select("profile_id"))
    if RECORDS.name in feeds:
        frames.append(_profiles_of(run, feeds[RECORDS.name].select(F.col("primary_identifier_id").alias("identifier_id"))))
    return union(frames)


def _profiles_of_expired_values(run: Run, last_as_of: datetime) -> DataFrame:
    """Profiles with a record that passed out of a declared ``valid_for`` since then: a scan of those days alone."""
    assert run.as_of is not None
    day = F.to_date("observed_at")
    expired = [has_left(day, days, last_as_of.date(), run.as_of.date()) for days in run.project.profile.lifetimes]
    records = read(run.spark, run.lake, RECORDS).where(reduce(or_, expired))
    return _profiles_of(run, records.select(F.col("primary_identifier_id").alias("identifier_id")))


def _profiles_of(run: Run, identifiers: DataFrame) -> DataFrame:
    identities = read(run.spark, run.lake, IDENTITIES)
    return identities.join(F.broadcast(identifiers.distinct()), "identifier_id", "left_semi").select("profile_id")


def _build_attributes(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, profile = run.spark, run.lake, run.project.profile
    identities, records = read(spark, lake, IDENTITIES), read(spark, lake, RECORDS)
    if changes.keys is not None:
        identities = identities.join(F.broadcast(changes.keys), "profile_id", "left_semi")
        whose = identities.select(F.col("identifier_id").alias("primary_identifier_id"))
        records = records.join(whose, "primary_identifier_id", "left_semi")
    rows = surviving_attributes(records, identities, profile, run.as_of.date() if run.as_of else None)
    table = profile_attributes_table(profile)
    merged = merge(spark, lake, table, rows, scope=changes.keys, scope_keys=("profile_id",))
    return {"attributes": merged, **_unfit(profile, records)}


def _unfit(profile: ProfileConfig, records: DataFrame) -> dict[str, Any]:
    """How many values of whom do not fit an attribute's type, for a person to see: by source, by attribute."""
    if all(attribute.type == "string" for attribute in profile.attributes):
        return {}
    found: dict[str, dict[str, int]] = {}
    for row in unfit_values(records, profile).collect():
        found.setdefault(row["source"], {})[row["attribute"]] = row["values"]
    return {"unfit_values": found} if found else {}
