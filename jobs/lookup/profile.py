"""One profile as a person asks for it, put together from the rows that the tables hold about it. Nothing is read here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conf.project import Project
from conf.tables.consents import CONSENTS, consent_columns
from conf.tables.contract import Column
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.silver import EVENTS, IDENTITIES, IDENTITY_LINKS, attribute_columns
from transforms.identity.plain import masked

Row = dict[str, Any]
MASK = "***"

LINK_COLUMNS = tuple(name for name in IDENTITY_LINKS.column_names if name not in ("value", "other_value"))
"""Without the values: those of this profile stand in its identities, and the others are somebody else's."""

IDENTIFIER_COLUMNS = tuple(name for name in IDENTITIES.column_names if name not in ("profile_id", "severed_from"))
MOVE_COLUMNS = ("from_profile_id", "to_profile_id", "changed_at", "reason")
CONSENT_COLUMNS = tuple(name for name in CONSENTS.column_names if name != "profile_id")
SCORE_COLUMNS = tuple(name for name in RFM_SCORES.column_names if name not in ("profile_id", "model_version"))
SEGMENT_COLUMNS = tuple(name for name in SEGMENT_ASSIGNMENTS.column_names if name not in ("profile_id", "is_current"))
EVENT_COLUMNS = tuple(
    name for name in EVENTS.column_names if name not in ("row_hash", "row_ordinal", "version", "occurred_on", "identifiers")
)


@dataclass(frozen=True)
class Profile:
    """A profile as it stands, or as it was ``at`` a time. Direct personal values are masked unless it is ``revealed``.

    ``asked`` is the namespace of the identifier that was asked for, or ``id``; ``moves`` what happened to that
    identifier: from which profile to which, when and why.
    """

    asked: str
    identifier_id: str
    profile_id: str
    moves: list[Row]
    as_of: datetime | None
    at: datetime | None
    revealed: bool
    profile_type: str | None
    attributes: list[Row]
    identifiers: list[Row]
    links: list[Row]
    consent: list[Row]
    activity: Row
    rfm: Row
    segments: list[Row]
    events: list[Row]


@dataclass(frozen=True)
class Asked:
    """Which profile a question came to, and how."""

    asked: str
    identifier_id: str
    profile_id: str
    moves: Sequence[Row] = ()


@dataclass(frozen=True)
class Found:
    """What the tables hold about one profile: rows as they are."""

    attributes: Sequence[Row] = ()
    identifiers: Sequence[Row] = ()
    links: Sequence[Row] = ()
    customer_360: Sequence[Row] = ()
    rfm: Sequence[Row] = ()
    scores: Sequence[Row] = ()
    consents: Sequence[Row] = ()
    segments: Sequence[Row] = ()
    events: Sequence[Row] = ()


def put_together(
    asked: Asked, found: Found, project: Project, as_of: datetime | None, at: datetime | None = None, reveal: bool = False
) -> Profile:
    """Rows -> the profile. ``as_of`` is the day from which recency counts; ``at`` the past day that was asked about."""
    identifiers = _identifiers(found, project, reveal)
    summary = found.customer_360[0] if found.customer_360 else {}
    return Profile(
        asked=asked.asked,
        identifier_id=asked.identifier_id,
        profile_id=asked.profile_id,
        moves=[{name: move[name] for name in MOVE_COLUMNS} for move in sorted(asked.moves, key=lambda m: m["changed_at"])],
        as_of=as_of,
        at=at,
        revealed=reveal,
        profile_type=summary.get("profile_type"),
        attributes=_attributes(found, project, reveal),
        identifiers=identifiers,
        links=[{n: link[n] for n in LINK_COLUMNS} for link in sorted(found.links, key=_ends) if len(set(_ends(link))) > 1],
        consent=[
            {n: row[n] for n in CONSENT_COLUMNS} for row in sorted(found.consents, key=lambda r: (r["channel"], r["purpose"]))
        ],
        activity=_shown(summary, _summary_columns(project), reveal),
        rfm=_rfm(found, as_of),
        segments=[{n: row[n] for n in SEGMENT_COLUMNS} for row in sorted(found.segments, key=lambda r: r["valid_from"])],
        events=_events(found, {row["identifier_id"]: row["namespace"] for row in identifiers}, reveal),
    )


def _identifiers(found: Found, project: Project, reveal: bool) -> list[Row]:
    """Strongest first, each with the sources that saw it as the primary one or linked to another."""
    ranks = project.identity.ranks
    sources: dict[str, set[str]] = {}
    for link in found.links:
        for end in (link["identifier_id"], link["other_identifier_id"]):
            sources.setdefault(end, set()).update(link["sources"] or ())

    def strength(row: Row) -> tuple[int, float, str]:
        first = row["first_seen"]
        return ranks.get(row["namespace"], len(ranks)), first.timestamp() if first else float("inf"), row["identifier_id"]

    shown = [{name: row.get(name) for name in IDENTIFIER_COLUMNS} for row in sorted(found.identifiers, key=strength)]
    values = {row["identifier_id"]: row["value"] if reveal else masked(row["value"] or "") for row in shown}
    return [
        {**row, "value": values[row["identifier_id"]], "sources": sorted(sources.get(str(row["identifier_id"]), ()))}
        for row in shown
    ]


def _attributes(found: Found, project: Project, reveal: bool) -> list[Row]:
    """One row per attribute with a value, and where it came from."""
    row = found.attributes[0] if found.attributes else {}
    provenance: dict[str, Row] = {}
    for told in row.get("provenance") or ():
        provenance.setdefault(told["attribute"], {key: value for key, value in told.items() if key != "attribute"})
    held = [column for column in attribute_columns(project.profile) if row.get(column.name) is not None]
    return [
        {
            "attribute": column.name,
            "value": row[column.name] if reveal or column.personal != "direct" else MASK,
            "source": None,
            "observed_at": None,
            **provenance.get(column.name, {}),
        }
        for column in held
    ]


def _summary_columns(project: Project) -> list[Column]:
    """What ``gold.customer_360`` adds up: neither attributes nor what has a part of its own here."""
    others = (RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS)
    declared = (*attribute_columns(project.profile), *consent_columns(project.profile))
    elsewhere = {column.name for column in declared} | {name for table in others for name in table.column_names}
    columns = customer_360_table(project.profile).columns
    return [c for c in columns if c.name not in elsewhere and c.name != "profile_type" and not c.name.startswith("segment")]


def _shown(row: Row, columns: Iterable[Column], reveal: bool) -> Row:
    held = [column for column in columns if row.get(column.name) is not None]
    return {column.name: row[column.name] if reveal or column.personal != "direct" else MASK for column in held}


def _rfm(found: Found, as_of: datetime | None) -> Row:
    """The numbers and their scores, and recency: whole days from the last purchase to ``as_of``."""
    if not found.rfm:
        return {}
    row = {name: found.rfm[0].get(name) for name in RFM.column_names if name != "profile_id"}
    last = row.get("last_purchase_at")
    days = max((as_of.date() - last.date()).days, 0) if as_of is not None and last is not None else None
    scores = {name: row.get(name) for row in found.scores for name in SCORE_COLUMNS}
    return {"recency_days": days, **row, **scores}


def _events(found: Found, namespaces: dict[str, str], reveal: bool) -> list[Row]:
    """In the order in which they happened, each with the namespace of the identifier that it is known by."""
    rows = sorted(found.events, key=lambda row: (row["occurred_at"], row["source"], row["event_id"]))
    return [
        {
            **{name: row.get(name) for name in EVENT_COLUMNS},
            "attributes": {key: value if reveal else MASK for key, value in dict(row.get("attributes") or {}).items()},
            "known_by": namespaces.get(row["primary_identifier_id"]),
        }
        for row in rows
    ]


def _ends(link: Row) -> tuple[str, str]:
    return link["identifier_id"], link["other_identifier_id"]
