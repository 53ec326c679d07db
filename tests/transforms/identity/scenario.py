"""A few lines of text as links: ``crm_id: Tom, cookie_id: 111``, one event a line, later lines later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd

from conf.identity import IdentityConfig
from transforms.identity.components import solve_identities
from transforms.identity.rules import ResolutionRules

START = datetime(2017, 1, 1, tzinfo=timezone.utc)
NAMESPACES = ("crm_id", "loyalty_id", "email", "phone", "device_id", "cookie_id")
ENDS = ("identifier_id", "namespace", "value", "other_identifier_id", "other_namespace", "other_value")

Groups = set[frozenset[str]]


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def config_of(max_per_profile: dict[str, int] | None = None, **more: Any) -> IdentityConfig:
    """The sample's namespaces without its settings; a profile holds one ``crm_id``, or what is given."""
    limits = {"crm_id": 1} if max_per_profile is None else max_per_profile
    namespaces = [{"name": name, "max_per_profile": limits.get(name), **more.pop(name, {})} for name in NAMESPACES]
    return IdentityConfig(namespaces=namespaces, **more)


def events_of(text: str) -> list[list[str]]:
    """Each line's identifiers, as ``namespace:value``."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [[":".join(part.strip().split(":")).replace(" ", "") for part in line.split(",")] for line in lines if line]


def links_of(events: Iterable[list[str]], config: IdentityConfig, days: Iterable[int] | None = None) -> pd.DataFrame:
    """What the events show, aggregated as the stage does it; an ``identifier_id`` is simply ``namespace:value``."""
    events = list(events)
    seen: dict[tuple[str, str], list[datetime]] = {}
    for number, identifiers in zip(days or range(len(events)), events, strict=True):
        ordered = sorted(set(identifiers), key=lambda one: (config.ranks[one.split(":")[0]], one))
        for other in ordered:
            seen.setdefault((ordered[0], other), []).append(day(number))
    rows = [(*pair, min(times), max(times), len(times)) for pair, times in seen.items()]
    return links_from(rows)


def links_from(rows: list[tuple[str, str, datetime | None, datetime | None, int]]) -> pd.DataFrame:
    """Rows of (id, other id, first seen, last seen, times) as a frame of links."""
    ends = [(a, *a.split(":", 1), b, *b.split(":", 1)) for a, b, *_ in rows]
    links = pd.DataFrame(ends, columns=list(ENDS), dtype=object)
    links["first_seen"] = pd.to_datetime(pd.Series([row[2] for row in rows], dtype=object), utc=True)
    links["last_seen"] = pd.to_datetime(pd.Series([row[3] for row in rows], dtype=object), utc=True)
    return links.assign(times=pd.Series([row[4] for row in rows], dtype="int64"))


def profiles_of(identities: pd.DataFrame) -> Groups:
    return {frozenset(members) for _, members in identities.groupby("profile_id")["identifier_id"]}


def severed_of(links: pd.DataFrame) -> dict[tuple[str, str], str]:
    cut = links[links["severed"].notna()]
    return {(row.identifier_id, row.other_identifier_id): row.severed for row in cut.itertuples()}


def resolve(
    text: str, config: IdentityConfig | None = None, days: Iterable[int] | None = None, **rules: Any
) -> tuple[Groups, dict[tuple[str, str], str]]:
    """Profiles and severed links of a scenario; with ``days``, an event is not a day later than the one before it."""
    config = config or config_of()
    identities, links = solve_identities(links_of(events_of(text), config, days), ResolutionRules(config, **rules))
    return profiles_of(identities), severed_of(links)


def groups(text: str) -> Groups:
    """``crm_id:Tom email:t | cookie_id:1`` as profiles."""
    return {frozenset(part.split()) for part in text.split("|")}
