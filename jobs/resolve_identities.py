"""Resolve identities: links from every record and event, profiles from the links, and what moved."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project, fingerprint
from conf.tables.silver import EVENTS, IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS, IDENTITY_RULES, RECORD_MATCHES, RECORDS
from jobs.decisions import decisions_of, waiting_decisions
from jobs.runtime.lake import ask, count_rows, ensure_table, exists, read, union
from jobs.runtime.merge import merge
from jobs.runtime.scratch import compute_once, scratch
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from jobs.solve_at_large import solve_at_large
from transforms.identity.changes import dated_after, identity_changes
from transforms.identity.links import link_identifiers, sightings
from transforms.identity.matching import MATCH_SOURCE, match_sightings
from transforms.identity.normalise import BLOCKED
from transforms.identity.resolve import identities_of, links_of, pack_links, solve, solve_packed, unpacked_links
from transforms.identity.rules import ResolutionRules, standing_decisions
from transforms.identity.scope import expired_between, links_in_scope, touched_scope, within

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STAGE = "resolve-identities"
PARTS_A_TASK = 4
"""Parts are dealt out by chance: with some to spare, none is much larger than a task may hold."""


def resolve_identities(run: Run) -> list[Outcome]:
    """Recomputes the components that new or changed rows touch, and merges links, identities and what moved."""
    return [run_stage(run, resolve_stage(run.project))]


def resolve_stage(project: Project) -> Stage:
    """Its keys are the identifiers that changed rows carry or carried, and those that a person decided about."""
    return Stage(
        name=STAGE,
        reads=(EVENTS.name, RECORDS.name, IDENTITY_RULES.name, *([RECORD_MATCHES.name] if project.identity.matching else [])),
        writes=(IDENTITY_LINKS.name, IDENTITIES.name, IDENTITY_CHANGES.name),
        fingerprint=lambda p: fingerprint("identities 2", p.identity),
        keys=lambda run, feeds: _changed_identifiers(feeds),
        body=_resolve,
        # Links expire with time only where the configuration says so.
        uses_as_of=project.identity.expires,
        keys_crossing=_expiring if project.identity.expires else None,
    )


def _changed_identifiers(feeds: dict[str, DataFrame]) -> DataFrame:
    usable = F.filter("identifiers", lambda identifier: identifier["blocked"].isNull())
    about = dict.fromkeys(feeds, F.transform(usable, lambda identifier: identifier["identifier_id"]))
    if IDENTITY_RULES.name in feeds:
        about[IDENTITY_RULES.name] = F.array("identifier_id", "other_identifier_id")
    if RECORD_MATCHES.name in feeds:
        about[RECORD_MATCHES.name] = F.array("identifier_id", "other_identifier_id", "match_id")
    return union([feeds[name].select(F.explode(ids).alias("identifier_id")) for name, ids in about.items()])


def _expiring(run: Run, before: datetime) -> DataFrame:
    """The identifiers of links that have expired since, or that an earlier day revives."""
    return expired_between(current_links(run), run.project.identity, _start_of_day(before), _day_of(run))


def current_links(run: Run) -> DataFrame:
    """All links as they were solved last, without what is only listed because it is blocked."""
    links = read(run.spark, run.lake, IDENTITY_LINKS)
    return links.where(F.col("severed").isNull() | ~F.col("severed").isin(*BLOCKED))


def _resolve(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake = run.spark, run.lake
    for table in (IDENTITY_LINKS, IDENTITIES, IDENTITY_CHANGES):
        ensure_table(spark, lake, table)
    rules = rules_of(run)
    before, scope = read(spark, lake, IDENTITIES), None
    once = partial(_once, run, few=changes.few)
    seen = _sightings_of(run, changes.keys)
    # Where there are many sightings, the names of the sources are looked up first.
    links = link_identifiers(seen, () if changes.keys is not None else _sources_of(run))
    if changes.keys is not None:
        known = _links_now(run, changes.keys, links, once)
        links, listed = known.where(F.col("blocked").isNull()), known.where(F.col("blocked").isNotNull())
        scope = once("scope", touched_scope(changes.keys, links, before, rules, once))
        links, before = links_in_scope(links, scope), within(before, scope)
        links = links.unionByName(listed.drop("severed"), allowMissingColumns=True)
    solved = once("solved", _solved(run, links, rules, everything=changes.keys is None))
    after = identities_of(solved) if scope is None else within(identities_of(solved), scope)
    few, counts = changes.few, dict[str, Any]()
    if changes.keys is not None or count_rows(spark, lake, IDENTITIES.name):  # where nobody was known, nobody moved
        # What moved is written before identities are replaced: a killed run finds it again, a finished one changes nothing.
        written = read(spark, lake, IDENTITY_CHANGES)
        moved = identity_changes(before, after, _moment_of(run))
        moved = dated_after(moved, written if scope is None else within(written, scope))
        counts["changes"] = merge(spark, lake, IDENTITY_CHANGES, moved, insert_only=True, few=few)
    counts["links"] = merge(
        spark, lake, IDENTITY_LINKS, links_of(solved), scope=changes.keys, scope_keys=("identifier_id",), few=few
    )
    counts["identities"] = merge(spark, lake, IDENTITIES, after, scope=scope, scope_keys=("identifier_id",), few=few)
    return {**counts, **waiting_decisions(run, (*rules.links, *rules.unlinks))}


def _once(run: Run, name: str, rows: DataFrame, few: bool) -> DataFrame:
    rows, _ = compute_once(run.spark, run.lake, name, rows, few)
    return rows


def _solved(run: Run, links: DataFrame, rules: ResolutionRules, everything: bool) -> DataFrame:
    """The links solved: in one task, or in parts where they are more than one task may hold."""
    most = run.project.settings.solve_in_one_task_up_to
    if not everything and count_rows(run.session_if_needed(), run.lake, IDENTITY_LINKS.name) <= most:
        return solve(links, rules)
    packed = scratch(run.spark, run.lake, "packed_links", pack_links(links))
    size = packed.agg(F.sum("size")).collect()[0][0] or 0
    if size <= most:
        return solve_packed(packed, rules)
    return solve_at_large(run.spark, run.lake, unpacked_links(packed), rules, parts=PARTS_A_TASK * math.ceil(size / most))


def rules_of(run: Run) -> ResolutionRules:
    """The rules of this run: what is declared, what people decided, and the day."""
    links, unlinks = standing_decisions(decisions_of(run))
    return ResolutionRules(run.project.identity, links, unlinks, as_of=_day_of(run))


def _moment_of(run: Run) -> datetime:
    """When what moves in this run moves: at its ``as_of``, and not before that of the last one, for a later run made it."""
    last, now = run.log.last_done(STAGE), run.as_of or run.started_at
    return max(now, last.as_of) if last is not None and last.as_of is not None else now


def _day_of(run: Run) -> datetime:
    """The start of the day of ``as_of``: links expire by whole days, so that a day's runs agree."""
    return _start_of_day(run.as_of or run.started_at)


def _start_of_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _sightings_of(run: Run, keys: DataFrame | None) -> DataFrame:
    """What records, events and, where they are declared, matches show: all of it, or what is about a key."""
    seen = sightings(_rows_about(run, keys))
    if run.project.identity.matching is None or not exists(run.session_if_needed(), run.lake, RECORD_MATCHES.name):
        return seen
    matched = match_sightings(read(run.spark, run.lake, RECORD_MATCHES))
    if keys is not None:
        matched = matched.join(F.broadcast(keys), "identifier_id", "left_semi")
    return seen.unionByName(matched)


def _sources_of(run: Run) -> list[str]:
    """The sources of all that :func:`_sightings_of` finds."""
    question = "select source from {events} union select source from {records}"
    found = ask(run.session_if_needed(), run.lake, question, events=EVENTS.name, records=RECORDS.name)
    return [MATCH_SOURCE, *found["source"].to_pylist()]


def _rows_about(run: Run, keys: DataFrame | None) -> DataFrame:
    """Rows of records and events as (identifiers, seen_at, source): all, or those whose primary identifier is a key."""
    frames = []
    for table, time in ((EVENTS, "occurred_at"), (RECORDS, "observed_at")):
        rows = read(run.spark, run.lake, table)
        if keys is not None:
            primary = keys.select(F.col("identifier_id").alias("primary_identifier_id"))
            rows = rows.join(F.broadcast(primary), "primary_identifier_id", "left_semi")
        frames.append(rows.select("identifiers", F.col(time).alias("seen_at"), "source"))
    return frames[0].unionByName(frames[1])


def _links_now(run: Run, keys: DataFrame, recomputed: DataFrame, once: Callable[[str, DataFrame], DataFrame]) -> DataFrame:
    """All links as they are now, with ``severed`` as it was solved last: those of changed identifiers anew, with what
    came with them ``blocked``; the others as they stand. Only those of changed identifiers are written down.
    """
    links, keys = current_links(run), F.broadcast(keys)
    severed = links.join(keys, "identifier_id", "left_semi").select("identifier_id", "other_identifier_id", "severed")
    anew = recomputed.join(severed, ["identifier_id", "other_identifier_id"], "left")
    anew = once("links", anew.select(*IDENTITY_LINKS.column_names, "blocked"))
    standing = links.join(keys, "identifier_id", "left_anti")
    return anew.unionByName(standing, allowMissingColumns=True)
