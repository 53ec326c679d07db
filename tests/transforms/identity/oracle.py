"""The rule once more, as plainly as possible: sets, and every link of everything in one list."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from itertools import combinations
from typing import NamedTuple

from conf.tables.silver import SEVERED_KEPT
from transforms.identity.rules import Pair, ResolutionRules

LATEST = datetime.max.replace(tzinfo=timezone.utc)


class Link(NamedTuple):
    one: str
    other: str
    first_seen: datetime
    last_seen: datetime
    times: int = 1


class Answer(NamedTuple):
    profile: dict[str, str]
    component: dict[str, str]
    severed: dict[Pair, str]

    def severed_from(self) -> dict[str, list[str]]:
        """Of each identifier, the first of those whose link to it is not followed."""
        return {one: sorted(start for start, end in self.severed if end == one)[:SEVERED_KEPT] for one in self.profile}


def solve_plainly(links: list[Link], rules: ResolutionRules) -> Answer:
    """Who is who: each identifier's profile and component, and why links are severed."""
    rank = rules.config.ranks
    everyone = {end for link in links for end in link[:2]}
    unlinks = {frozenset(pair) for pair in rules.unlinks}
    decided = {frozenset(pair) for pair in rules.links if set(pair) <= everyone and pair[0] != pair[1]} - unlinks
    severed = {link[:2]: why for link in links if (why := _never(link, links, rules, unlinks, decided))}
    followed = [link for link in links if link[:2] not in severed and link.one != link.other]
    component = _closure(everyone, [set(link[:2]) for link in followed] + [set(pair) for pair in decided])
    cluster = {one: {one} for one in everyone}
    for one, other in sorted(map(sorted, decided)):
        if _refusal(cluster[one] | cluster[other], set(), rules, unlinks) != "unlinked":
            _join(cluster, one, other)
    for link in sorted(followed, key=lambda link: _distrust(link, rank)):
        if cluster[link.one] is not cluster[link.other]:
            why = _refusal(cluster[link.one], cluster[link.other], rules, unlinks)
            if why:
                severed[link[:2]] = why
            else:
                _join(cluster, link.one, link.other)
    first = {one: min(link.first_seen for link in links if one in link[:2]) for one in everyone}
    profile = {one: min(cluster[one], key=lambda id_: (rank[_namespace(id_)], first[id_], id_)) for one in everyone}
    return Answer(profile, component, severed)


def _namespace(one: str) -> str:
    return one.split(":", maxsplit=1)[0]


def _join(cluster: dict[str, set[str]], one: str, other: str) -> None:
    merged = cluster[one] | cluster[other]
    cluster.update(dict.fromkeys(merged, merged))


def _refusal(one: set[str], other: set[str], rules: ResolutionRules, unlinks: set[frozenset[str]]) -> str | None:
    if any(frozenset(pair) in unlinks for pair in combinations(one | other, 2)):
        return "unlinked"
    of_one, of_other = (Counter(map(_namespace, cluster)) for cluster in (one, other))
    for namespace in rules.config.namespaces:
        held = of_one[namespace.name], of_other[namespace.name]
        if namespace.max_per_profile and all(held) and sum(held) > namespace.max_per_profile:
            return f"limit:{namespace.name}"
    return "limit:total" if len(one | other) > rules.config.max_identifiers_per_profile else None


def _distrust(link: Link, rank: dict[str, int]) -> tuple[int, timedelta, list[str]]:
    weaker = max(rank[_namespace(end)] for end in link[:2])
    return weaker, LATEST - link.last_seen, sorted(link[:2])


def _never(
    link: Link, links: list[Link], rules: ResolutionRules, unlinks: set[frozenset[str]], decided: set[frozenset[str]]
) -> str | None:
    if link.one == link.other:
        return None
    if frozenset(link[:2]) in unlinks:
        return "unlinked"
    if frozenset(link[:2]) in decided:
        return None
    if _has_expired(link, rules):
        return "expired"
    for end in link[:2]:
        near = {frozenset(some[:2]) for some in links if end in some[:2] and not _has_expired(some, rules)}
        if len(near - {frozenset([end])}) > rules.config.namespace(_namespace(end)).max_linked:
            return "hub"
    return None


def _has_expired(link: Link, rules: ResolutionRules) -> bool:
    expiries = [rules.expiry(_namespace(end)) for end in link[:2]]
    return link.one != link.other and any(expiry is not None and link.last_seen < expiry for expiry in expiries)


def _closure(everyone: set[str], edges: list[set[str]]) -> dict[str, str]:
    smallest = {one: one for one in everyone}
    moved = True
    while moved:
        moved = False
        for edge in edges:
            least = min(smallest[one] for one in edge)
            moved = moved or any(smallest[one] != least for one in edge)
            smallest.update(dict.fromkeys(edge, least))
    return smallest
