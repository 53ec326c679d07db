"""A profile for a terminal."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from jobs.lookup.profile import Profile
from jobs.lookup.tree import identity_tree
from jobs.runtime.text_table import text_table

Row = dict[str, Any]


def profile_text(profile: Profile) -> str:
    """The profile's parts, each under its title; a part of which nothing is known is left out."""
    parts = {
        "": _head(profile),
        "Attributes": _table(profile.attributes),
        "Identifiers and links": "\n".join(identity_tree(profile.profile_id, profile.identifiers, profile.links)),
        "Consent": _table(profile.consent),
        "Activity": _facts(profile.activity),
        "RFM": _facts(profile.rfm),
        "Segments": _table(profile.segments),
        "Last events": _table([_event(row, profile.revealed) for row in profile.events]),
    }
    return "\n\n".join(f"{title}\n{text}" if title else text for title, text in parts.items() if text)


def _head(profile: Profile) -> str:
    kind = f", {profile.profile_type}" if profile.profile_type else ""
    when = f", on {_shown(profile.at)}" if profile.at else f", as of {_shown(profile.as_of)}" if profile.as_of else ""
    lines = [f"Profile {profile.profile_id}{kind}{when}"]
    for move in profile.moves:
        gone, to, when = move["from_profile_id"], move["to_profile_id"] or "nobody", _shown(move["changed_at"])
        lines.append(f"Moved: this {profile.asked} went from {gone} to {to} on {when} ({move['reason']}).")
    if any(row["reason"] == "hub" for row in profile.identifiers):
        lines.append("It is a hub: linked to more others than identity.yml allows, so it links nobody.")
    if profile.at:
        lines.append("Attributes, links and sums are only kept as they stand today: ask without a date for them.")
    if not profile.revealed:
        lines.append("Personal values are masked; --reveal --why TEXT shows them, and is recorded.")
    return "\n".join(lines)


def _event(row: Row, revealed: bool) -> Row:
    what = [row[name] for name in ("order_id", "product_id", "category", "brand", "store") if row[name]]
    told = [f"{key}={value}" for key, value in row["attributes"].items()] if revealed else []
    return {
        "occurred_at": row["occurred_at"],
        "source": row["source"],
        "event": row["event_type"],
        "channel": row["channel"],
        "known by": row["known_by"],
        "quantity": row["quantity"],
        "revenue": row["revenue"],
        "what": ", ".join((*what, *told)),
    }


def _table(rows: list[Row]) -> str:
    """The rows, without columns that are empty in all of them."""
    header = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
    return text_table(header, [tuple(_cell(row[name]) for name in header) for row in rows]) if rows else ""


def _cell(value: Any) -> Any:
    """Numbers as they are: tables set them to the right."""
    return value if value is None or isinstance(value, int | float | Decimal) else _shown(value)


def _facts(facts: Row) -> str:
    known = {name: value for name, value in facts.items() if value is not None}
    width = max((len(name) for name in known), default=0)
    return "\n".join(f"{name.ljust(width)}  {_shown(value)}" for name, value in known.items())


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, date | str | bool) or value is None:
        return str(value)
    return f"{value:,}"
