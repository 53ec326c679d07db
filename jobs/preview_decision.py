"""What a decision about two identifiers would change: profiles, segments and rows, before anything is noted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES, RECORDS
from jobs.resolve_identities import current_links, rules_of
from jobs.runtime.lake import exists, read
from jobs.runtime.scratch import hold
from jobs.runtime.text_table import text_table
from jobs.score_rfm import rfm_of
from transforms.identity.plain import Identifier
from transforms.identity.resolve import identities_of, solve
from transforms.identity.rules import ResolutionRules, standing_decisions
from transforms.identity.scope import links_in_scope, touched_scope, within

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.runtime.stage import Run


@dataclass(frozen=True)
class Preview:
    """What would change. ``profiles``: each touched profile before and after; ``rows``: rows by table that would move to
    another profile.
    """

    decision: str
    one: str
    other: str
    profiles: tuple[dict[str, Any], ...]
    rows: dict[str, int]


def preview_decision(run: Run, decisions: list[dict[str, Any]], one: Identifier, other: Identifier) -> Preview:
    """Solves again what the last of the decisions touches, on the tables as they stand; writes nothing."""
    links, unlinks = standing_decisions(decisions)
    before, after = _solved(run, (one, other), replace(rules_of(run), links=links, unlinks=unlinks))
    was, becomes = ({row["identifier_id"]: row["profile_id"] for row in rows} for rows in (before, after))
    moved = sorted(member for member in {*was, *becomes} if was.get(member) != becomes.get(member))
    touched = sorted({of[member] for of in (was, becomes) for member in moved if member in of})
    then = _segments_then(run, after, touched) if moved else {}
    now = _segments_now(run, touched) if moved else {}
    profiles = tuple(
        {
            "profile_id": profile,
            "identifiers_now": sum(held == profile for held in was.values()),
            "identifiers_then": sum(held == profile for held in becomes.values()),
            **{f"{name}_now": now.get(profile, {}).get(name) for name in ("purchases", "revenue", "segment")},
            **{f"{name}_then": then.get(profile, {}).get(name) for name in ("purchases", "revenue", "segment")},
        }
        for profile in touched
    )
    return Preview(decisions[-1]["decision"], one.name, other.name, profiles, _rows_that_move(run, moved))


def _solved(run: Run, ends: tuple[Identifier, Identifier], rules: ResolutionRules) -> tuple[list[Any], list[Any]]:
    """Identities of the touched scope as they are and as they would be; components are small enough for the driver."""
    spark, lake = run.spark, run.lake
    if not exists(run.session_if_needed(), lake, IDENTITIES.name):
        return [], []
    keys = spark.createDataFrame([(end.identifier_id,) for end in ends], "identifier_id string")
    links = current_links(run)
    identities = read(spark, lake, IDENTITIES)

    def held(_name: str, rows: DataFrame) -> DataFrame:
        return hold(spark, rows, few=True)

    scope = held("scope", touched_scope(keys, links, identities, rules, held))
    after = within(identities_of(solve(links_in_scope(links, scope), rules)), scope)
    return within(identities, scope).collect(), after.collect()


def _segments_now(run: Run, profiles: list[str]) -> dict[str, dict[str, Any]]:
    if not exists(run.session_if_needed(), run.lake, RFM.name):
        return {}
    rfm = _of_profiles(read(run.spark, run.lake, RFM), profiles).select("profile_id", "purchases", "revenue")
    if exists(run.session_if_needed(), run.lake, SEGMENT_ASSIGNMENTS.name):
        current = read(run.spark, run.lake, SEGMENT_ASSIGNMENTS).where("is_current").select("profile_id", "segment")
        rfm = rfm.join(current, "profile_id", "left")
    return {row["profile_id"]: row.asDict() for row in rfm.collect()}


def _segments_then(run: Run, after: list[Any], profiles: list[str]) -> dict[str, dict[str, Any]]:
    """RFM of the profiles as they would be, with the segment that the champion would give."""
    from jobs.train_segments import staging_folder, tracking_of
    from models.assign import assign_segments
    from models.features import segment_features
    from models.registry import load_champion

    if not exists(run.session_if_needed(), run.lake, ACTIVITY.name):
        return {}
    last = run.log.last_done("assign-segments")
    as_of = (last.as_of if last else None) or run.started_at
    identities = _of_profiles(run.spark.createDataFrame(after, IDENTITIES.schema), profiles)
    rfm = rfm_of(replace(run, as_of=as_of), identities)
    champion = load_champion(tracking_of(run), staging_folder(run))
    numbers = rfm.select("profile_id", "purchases", "revenue")
    if champion is not None:
        assigned = assign_segments(segment_features(rfm, as_of, run.project.segments.window_days), champion.model, champion.names)
        numbers = numbers.join(assigned.select("profile_id", "segment"), "profile_id", "left")
    return {row["profile_id"]: row.asDict() for row in numbers.collect()}


def _of_profiles(rows: DataFrame, profiles: list[str]) -> DataFrame:
    return rows.where(F.col("profile_id").isin(profiles))


def _rows_that_move(run: Run, moved: list[str]) -> dict[str, int]:
    """Rows about the identifiers that move, by table."""
    if not moved:
        return {}
    keyed = {EVENTS: "primary_identifier_id", RECORDS: "primary_identifier_id", ACTIVITY: "identifier_id"}
    members = run.spark.createDataFrame([(one,) for one in moved], "id string")
    counts = {IDENTITIES.name: len(moved)}
    for table, key in keyed.items():
        if exists(run.session_if_needed(), run.lake, table.name):
            rows = read(run.spark, run.lake, table)
            counts[table.name] = rows.join(F.broadcast(members), rows[key] == members["id"], "left_semi").count()
    return counts


def preview_text(preview: Preview) -> str:
    """The preview for a terminal."""
    head = f"{preview.decision} {preview.one} {preview.other}"
    if not preview.profiles:
        return f"{head}: no profile would change."
    header = ("profile", "identifiers", "then", "purchases", "then", "revenue", "then", "segment", "then")
    rows = [tuple(_cell(value) for value in profile.values()) for profile in map(_in_order, preview.profiles)]
    moved = ", ".join(f"{count:,} in {name}" for name, count in preview.rows.items())
    return f"{head}: what would change\n\n{text_table(header, rows)}\n\nrows of another profile then: {moved}"


def _in_order(profile: dict[str, Any]) -> dict[str, Any]:
    names = ("identifiers", "purchases", "revenue", "segment")
    return {"profile_id": profile["profile_id"], **{f"{n}_{w}": profile[f"{n}_{w}"] for n in names for w in ("now", "then")}}


def _cell(value: Any) -> Any:
    return float(value) if value is not None and not isinstance(value, (str, int)) else value
