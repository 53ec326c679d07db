"""A lake of a few literal rows, written without a session: Ana, who is known, and somebody's browser."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import types as T

from conf.project import Project, load_project
from conf.tables.consents import CONSENTS
from conf.tables.contract import Table
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.ops import LAKE, RUNS
from conf.tables.silver import EVENTS, IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS, profile_attributes_table
from jobs.runtime.lake import append_to_files
from transforms.identity.plain import id_of

SALT = "pepper"
PROJECT = load_project()
_DEFAULTS: dict[type, Any] = {T.StringType: "", T.IntegerType: 1, T.BooleanType: True, T.DateType: date(2017, 1, 1)}


def day(number: int, hour: int = 12) -> datetime:
    return datetime(2017, 1, number, hour, tzinfo=timezone.utc)


def row(table: Table, **values: Any) -> dict[str, Any]:
    """A row of the table: what is not given is null, or something plain where a column may not be."""
    plain = {c.name: None if c.nullable else _DEFAULTS.get(type(c.type), day(1)) for c in table.columns}
    assert set(values) <= set(plain), set(values) - set(plain)
    return {**plain, **values}


def the_id(namespace: str, value: str) -> str:
    return id_of(PROJECT.identity.namespace(namespace), value, SALT)


ANA, CARD, MAIL, COOKIE = (
    the_id("crm_id", "1042"),
    the_id("loyalty_id", "LC0001"),
    the_id("email", "ana@example.com"),
    the_id("cookie_id", "c-1"),
)
BEN, TABLET = the_id("crm_id", "2000"), the_id("device_id", "d-1")


def identity(namespace: str, value: str, profile_id: str, reason: str, first: int = 1, last: int = 1) -> dict[str, Any]:
    own = the_id(namespace, value)
    times = {"first_seen": day(first), "last_seen": day(last), "times": 2}
    names = {"identifier_id": own, "namespace": namespace, "value": value, "component_id": own}
    severed = [link["identifier_id"] for link in LINK_ROWS if link["severed"] and link["other_identifier_id"] == own]
    return row(IDENTITIES, **names, **times, profile_id=profile_id, reason=reason, severed_from=severed)


def link(one: tuple[str, str], other: tuple[str, str], first: int = 1, severed: str | None = None) -> dict[str, Any]:
    ends = {"identifier_id": the_id(*one), "other_identifier_id": the_id(*other)}
    names = {"namespace": one[0], "value": one[1], "other_namespace": other[0], "other_value": other[1]}
    seen = {"first_seen": day(first), "last_seen": day(first + 1), "times": 2, "sources": ["crm"]}
    return row(IDENTITY_LINKS, **ends, **names, **seen, severed=severed)


def event(event_id: str, by: str, at: datetime, kind: str = "product_view", **values: Any) -> dict[str, Any]:
    told = {"event_id": event_id, "primary_identifier_id": by, "occurred_at": at, "event_type": kind, "source": "pos"}
    return row(EVENTS, **told, occurred_on=at.date(), **values)


LINK_ROWS = [
    link(("crm_id", "1042"), ("crm_id", "1042")),
    link(("crm_id", "1042"), ("loyalty_id", "LC0001"), 3),
    link(("crm_id", "1042"), ("email", "ana@example.com"), 3),
    link(("loyalty_id", "LC0001"), ("cookie_id", "c-1"), 4),
    link(("loyalty_id", "LC0001"), ("device_id", "d-1"), 4, "limit:crm_id"),
]
IDENTITY_ROWS = [
    identity("crm_id", "1042", ANA, "anchor", 3, 9),
    identity("loyalty_id", "LC0001", ANA, "linked", 2, 9),
    identity("email", "ana@example.com", ANA, "linked", 3, 3),
    identity("cookie_id", "c-1", ANA, "linked", 1, 8),
    identity("crm_id", "2000", BEN, "anchor"),
    identity("device_id", "d-1", BEN, "linked"),
]
CHANGE_ROWS = [
    row(IDENTITY_CHANGES, identifier_id=own, from_profile_id=left, to_profile_id=ANA, changed_at=day(5), reason="merged")
    for own, left in ((COOKIE, COOKIE), (CARD, CARD))
]
EVENT_ROWS = [
    event("e1", COOKIE, day(1), channel="web", attributes={"referrer": "a friend of ana@example.com"}),
    event("e2", CARD, day(6), "purchase", revenue=Decimal("9.50"), category="TEA"),
    event("e3", ANA, day(9), "call"),
    event("e4", TABLET, day(9), "app_open"),
]


def few_rows(root: Path | str, project: Project = PROJECT) -> Path | str:
    """Writes the lake below ``root``, a folder or a place in object storage."""
    attributes, summary = profile_attributes_table(project.profile), customer_360_table(project.profile)
    from_crm = [{"attribute": name, "source": "crm", "observed_at": day(3)} for name in ("city", "email")]
    rows: dict[Table, list[dict[str, Any]]] = {
        LAKE: [row(LAKE, lake_id="1", salt=SALT)],
        RUNS: [row(RUNS, run_id="1", stage="assign-segments", outcome="done", as_of=day(11), started_at=day(11))],
        IDENTITIES: IDENTITY_ROWS,
        IDENTITY_LINKS: LINK_ROWS,
        IDENTITY_CHANGES: CHANGE_ROWS,
        EVENTS: EVENT_ROWS,
        attributes: [row(attributes, profile_id=ANA, email="ana@example.com", city="Bonn", provenance=from_crm)],
        summary: [row(summary, profile_id=ANA, profile_type="known", events=3, city="Bonn", email="ana@example.com")],
        RFM: [row(RFM, profile_id=ANA, last_purchase_at=day(6), frequency=1, monetary=Decimal("9.50"))],
        RFM_SCORES: [row(RFM_SCORES, profile_id=ANA, recency_score=5, rfm_cell="5-1-2", model_version="1")],
        CONSENTS: [row(CONSENTS, profile_id=ANA, channel="email", purpose="marketing", is_given=False, source="crm")],
        SEGMENT_ASSIGNMENTS: [
            row(SEGMENT_ASSIGNMENTS, profile_id=ANA, valid_from=day(8), segment="VIP", model_version="1", reason="first")
        ],
    }
    for table, given in rows.items():
        append_to_files(f"{root}/{table.name.replace('.', '/')}", table, given)
    return root
