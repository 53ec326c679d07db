"""A profile's identity graph as a tree for a terminal: from its anchor, with the links that are not followed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]
Reached = Mapping[str, tuple[str, Row] | None]
"""Identifier -> the one that it was reached from, and by which link; None for a root."""

SHORT = 8
"""Hex digits of an id that tell a profile's few identifiers apart."""


def identity_tree(profile_id: str, identifiers: Sequence[Row], links: Sequence[Row]) -> list[str]:
    """One line per identifier of the profile, below the one that it was reached from, and one per link that is not followed.

    ``identifiers`` come strongest first. Followed links beyond those of the tree are told at the end of a line (``also``).
    A second root is an identifier that a person's decision joined, without a link that anybody saw.
    """
    members = {row["identifier_id"]: row for row in identifiers}
    near = _neighbours(members, links)
    reached = _reached(profile_id, near)
    also = {member: _also(member, members, near, reached) for member in members}
    lines = []
    for member, row in members.items():
        if reached[member] is None:
            lines.append(f"{_named(row)}  {row['reason']}, {_seen(row)}{also[member]}")
            lines += _branches(member, members, links, reached, also)
    return lines


def _branches(
    member: str, members: Mapping[str, Row], links: Sequence[Row], reached: Reached, also: Mapping[str, str]
) -> list[str]:
    """What hangs below ``member``, drawn."""
    parts: list[tuple[str, list[str]]] = []
    for child, came in reached.items():
        if came is not None and came[0] == member:
            head = f"{_named(members[child])}  {_link_facts(came[1])}{also[child]}"
            parts.append((head, _branches(child, members, links, reached, also)))
    parts += [(line, []) for line in _severed(member, members, links)]
    lines = []
    for number, (head, rest) in enumerate(parts, start=1):
        corner, bar = ("└─ ", "   ") if number == len(parts) else ("├─ ", "│  ")
        lines += [corner + head, *(bar + line for line in rest)]
    return lines


def _neighbours(members: Mapping[str, Row], links: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Identifier -> whom of the profile it is linked to by a followed link, strongest first."""
    near: dict[str, dict[str, Row]] = {member: {} for member in members}
    for link in links:
        one, other = link["identifier_id"], link["other_identifier_id"]
        if link["severed"] is None and one in near and other in near:
            near[one].setdefault(other, link)
            near[other].setdefault(one, link)
    return {member: {other: found[other] for other in members if other in found} for member, found in near.items()}


def _reached(anchor: str, near: Mapping[str, Mapping[str, Row]]) -> Reached:
    """Breadth first, so that a line stands as near to the anchor as its links allow."""
    reached: dict[str, tuple[str, Row] | None] = {}
    for start in sorted(near, key=lambda member: member != anchor):
        waiting = deque([] if start in reached else [start])
        reached.setdefault(start, None)
        while waiting:
            member = waiting.popleft()
            for other, link in near[member].items():
                if other not in reached:
                    reached[other] = (member, link)
                    waiting.append(other)
    return reached


def _also(member: str, members: Mapping[str, Row], near: Mapping[str, Mapping[str, Row]], reached: Reached) -> str:
    """The followed links to stronger members that the tree does not draw."""

    def parent(of: str) -> str | None:
        came = reached[of]
        return None if came is None else came[0]

    order = list(members)
    stronger = [other for other in near[member] if order.index(other) < order.index(member)]
    told = [other for other in stronger if parent(member) != other and parent(other) != member]
    names = [f"{members[other]['namespace']} ({other[:SHORT]})" for other in told]
    return f"; also linked to {', '.join(names)}" if names else ""


def _severed(member: str, members: Mapping[str, Row], links: Sequence[Row]) -> Iterator[str]:
    """The links of ``member`` that are not followed; one between two members stands at its first end alone."""
    for link in links:
        one, other = link["identifier_id"], link["other_identifier_id"]
        is_here = member == (one if one in members else other)
        if link["severed"] is None or not is_here:
            continue
        far, namespace = (other, link["other_namespace"]) if member == one else (one, link["namespace"])
        where = "" if far in members else " of another profile"
        yield f"✂ {namespace} ({far[:SHORT]}){where}, not followed: {link['severed']}  {_link_facts(link)}"


def _named(identifier: Row) -> str:
    return f"{identifier['namespace']}:{identifier['value']} ({identifier['identifier_id'][:SHORT]})"


def _link_facts(link: Row) -> str:
    return f"{', '.join(link['sources'] or ())}: {_seen(link)}"


def _seen(row: Row) -> str:
    first, last, times = _day(row["first_seen"]), _day(row["last_seen"]), row["times"]
    return f"{first if first == last else f'{first} to {last}'}, {'once' if times == 1 else f'{times:,} times'}"


def _day(moment: datetime | None) -> str:
    return "?" if moment is None else f"{moment:%Y-%m-%d}"
