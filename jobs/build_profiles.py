"""Build profiles: what each identifier did on each day, and each profile's attributes and consents by policy."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.activity import Measure
from conf.profile import ProfileConfig
from conf.project import Project, fingerprint
from conf.reading import raise_problems
from conf.tables.consents import CONSENTS
from conf.tables.gold import customer_360_table
from conf.tables.measures import activity_measures_table
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES, RECORDS, profile_attributes_table
from jobs.runtime.lake import ensure_state, fits, read, types_of, union
from jobs.runtime.merge import days_of, merge, on_days
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from transforms.profile.activity import summarise_activity
from transforms.profile.consents import consent_statements, decide_consents, lapsing_statements
from transforms.profile.days import has_left
from transforms.profile.measured_days import measure_days
from transforms.profile.survivorship import surviving_attributes, unfit_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def build_profiles(run: Run) -> list[Outcome]:
    """Activity, attributes and consents; none reads another."""
    check_types(run)
    stages = [activity_stage(run.project), attributes_stage(run.project)]
    if run.project.profile.consents:
        stages.append(consents_stage(run.project))
    return [run_stage(run, stage) for stage in stages]


def check_types(run: Run) -> None:
    """Raises ConfigurationError, before anything is written, where a table has a column of another type than is declared,
    which cannot be widened to it.
    """
    problems: dict[str, None] = {}
    for table in (profile_attributes_table(run.project.profile), customer_360_table(run.project.profile)):
        held = types_of(run.session_if_needed(), run.lake, table.name)
        for column in table.columns:
            found = held.get(column.name, column.type)
            if not fits(found, column.type):
                problems[
                    f"profile.yml: {column.name} is declared as {column.type.simpleString()}, and {table.name} has it as "
                    f"{found.simpleString()}, which cannot be widened to that: give it another name, or drop the table's column"
                ] = None
    raise_problems(list(problems))


def activity_stage(project: Project) -> Stage:
    """Its keys are the days of identifiers on which an event changed."""
    measures = activity_measures_table(project.profile)
    return Stage(
        name="build-activity",
        reads=(EVENTS.name,),
        writes=(ACTIVITY.name, measures.name),
        fingerprint=lambda p: fingerprint("activity 3", p.segments.purchases, *(_of_a_day(m) for m in p.profile.event_measures)),
        keys=lambda run, feeds: _days(union(list(feeds.values()))),
        body=_build_activity,
    )


def _of_a_day(measure: Measure) -> Measure:
    """A measure without what a day does not depend on: another window, type or comment makes no day anew."""
    return measure.model_copy(update={"windows": ("all",), "type": None, "comment": "", "personal": "indirect"})


def _days(events: DataFrame) -> DataFrame:
    named = events.where(F.col("primary_identifier_id").isNotNull())
    return named.select(F.col("primary_identifier_id").alias("identifier_id"), F.col("occurred_on").alias("activity_on"))


def _build_activity(run: Run, changes: Changes) -> dict[str, Any]:
    events, days = read(run.spark, run.lake, EVENTS), None
    if changes.keys is not None:
        days = days_of(changes.keys, "activity_on", changes.few)
        keys = changes.keys.withColumnsRenamed({"identifier_id": "primary_identifier_id", "activity_on": "occurred_on"})
        events = events.where(on_days("occurred_on", days))
        events = events.join(F.broadcast(keys), ["primary_identifier_id", "occurred_on"], "left_semi")
    profile, measures = run.project.profile, activity_measures_table(run.project.profile)
    tables = {"activity": (ACTIVITY, summarise_activity(events, run.project.segments.purchases))}
    if profile.event_measures:
        tables["measures"] = (measures, measure_days(events, profile))
        if changes.everything:  # another measure of the same name may have another state
            ensure_state(run.spark, run.lake, measures)
    return {
        name: merge(run.spark, run.lake, table, rows, scope=changes.keys, scope_keys=table.keys, few=changes.few, days=days)
        for name, (table, rows) in tables.items()
    }


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
    named = identifiers.select("identifier_id").distinct()
    return identities.join(F.broadcast(named), "identifier_id", "left_semi").select("profile_id")


def _build_attributes(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, profile = run.spark, run.lake, run.project.profile
    identities, records = changes.of_keys(read(spark, lake, IDENTITIES)), read(spark, lake, RECORDS)
    if changes.keys is not None:
        whose = identities.select(F.col("identifier_id").alias("primary_identifier_id"))
        records = records.join(whose, "primary_identifier_id", "left_semi")
    rows = surviving_attributes(records, identities, profile, run.as_of.date() if run.as_of else None)
    table = profile_attributes_table(profile)
    merged = merge(spark, lake, table, rows, scope=changes.keys, scope_keys=("profile_id",), few=changes.few)
    return {"attributes": merged, **_unfit(profile, records)}


def _unfit(profile: ProfileConfig, records: DataFrame) -> dict[str, Any]:
    """How many values of whom do not fit an attribute's type, for a person to see: by source, by attribute."""
    if all(attribute.type == "string" for attribute in profile.attributes):
        return {}
    found: dict[str, dict[str, int]] = {}
    for row in unfit_values(records, profile).collect():
        found.setdefault(row["source"], {})[row["attribute"]] = row["values"]
    notes = [
        f"{source}: {values} value(s) of {name} do not fit the type in profile.yml, and count as not told"
        for source, attributes in sorted(found.items())
        for name, values in sorted(attributes.items())
    ]
    return {"unfit_values": found, "notes": notes} if found else {}


def consents_stage(project: Project) -> Stage:
    """Its keys are the profiles whose statements, or whose identifiers, changed, or a consent of which lapsed."""
    lapses = any(consent.valid_days is not None for consent in project.profile.consents)
    return Stage(
        name="build-consents",
        reads=(IDENTITIES.name, *_tables_with_statements(project)),
        writes=(CONSENTS.name,),
        fingerprint=lambda p: fingerprint("consents 1", p.profile.consents),
        keys=_profiles_of_statements,
        body=_build_consents,
        uses_as_of=lapses,
        keys_crossing=_profiles_of_lapsed_consents if lapses else None,
    )


_STATED_AT = {RECORDS.name: "observed_at", EVENTS.name: "occurred_at"}


def _tables_with_statements(project: Project) -> tuple[str, ...]:
    """Records, events or both: where a source maps what a consent is told in."""
    wanted = {consent.attribute for consent in project.profile.consents}
    kinds = {source.kind for source in project.sources if wanted & set(source.attribute_names)}
    return tuple(table.name for table, kind in ((RECORDS, "records"), (EVENTS, "events")) if kind in kinds)


def _profiles_of_statements(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    frames = []
    for name, feed in feeds.items():
        if name == IDENTITIES.name:
            frames.append(feed.select("profile_id"))
        else:
            frames.append(_profiles_of(run, consent_statements(feed, _STATED_AT[name], run.project.profile)))
    return union(frames)


def _statements(run: Run, identities: DataFrame | None = None) -> DataFrame:
    """All statements, or those of some identities."""
    frames = []
    for table in (RECORDS, EVENTS):
        if table.name in _tables_with_statements(run.project):
            rows = read(run.spark, run.lake, table)
            if identities is not None:
                whose = identities.select(F.col("identifier_id").alias("primary_identifier_id"))
                rows = rows.join(whose, "primary_identifier_id", "left_semi")
            frames.append(consent_statements(rows, _STATED_AT[table.name], run.project.profile))
    return union(frames)


def _profiles_of_lapsed_consents(run: Run, last_as_of: datetime) -> DataFrame:
    assert run.as_of is not None
    lapsed = lapsing_statements(_statements(run), run.project.profile, last_as_of.date(), run.as_of.date())
    return _profiles_of(run, lapsed.select("identifier_id"))


def _build_consents(run: Run, changes: Changes) -> dict[str, Any]:
    identities = changes.of_keys(read(run.spark, run.lake, IDENTITIES))
    statements = _statements(run, identities if changes.keys is not None else None)
    rows = decide_consents(statements, identities, run.project.profile, run.as_of.date() if run.as_of else None)
    return {
        "consents": merge(run.spark, run.lake, CONSENTS, rows, scope=changes.keys, scope_keys=("profile_id",), few=changes.few)
    }
