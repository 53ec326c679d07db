"""Evidence: the shortest chain of links between two identifiers, and where it is cut.

Plain Python over a few rows; reading them is the caller's. The chain with the fewest links that are not followed is
found, among those the shortest (Dijkstra 1959 over pairs of numbers), among those the one whose ids come first: the same
question gets the same answer.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.identity.rules import Pair


@dataclass(frozen=True)
class Hop:
    """One step of a chain. ``link`` is the row of ``silver.identity_links`` behind it, None where only a person's decision is."""

    one: str
    other: str
    link: Mapping[str, Any] | None
    decided: bool

    @property
    def severed(self) -> str | None:
        """Why the step is not followed; None where it is."""
        return None if self.decided or self.link is None else self.link["severed"]


def chain_between(
    links: Iterable[Mapping[str, Any]], decided: Sequence[Pair], one: str, other: str, followed_only: bool = False
) -> list[Hop] | None:
    """The chain of evidence from ``one`` to ``other``; None where nothing connects them.

    ``links`` are rows of ``silver.identity_links``, ``decided`` the pairs that people linked. With ``followed_only``
    severed links are no way.
    """
    steps = _steps(links, decided, followed_only)
    best: dict[str, tuple[int, int]] = {one: (0, 0)}
    came_by: dict[str, Hop] = {}
    queue = [((0, 0), one)]
    while queue:
        cost, here = heapq.heappop(queue)
        if here == other:
            return _walked_back(came_by, one, other)
        if cost > best[here]:
            continue
        for hop in steps.get(here, ()):
            reached = (cost[0] + (hop.severed is not None), cost[1] + 1)
            if reached < best.get(hop.other, (1 << 30, 0)):
                best[hop.other] = reached
                came_by[hop.other] = hop
                heapq.heappush(queue, (reached, hop.other))
    return None


def _steps(links: Iterable[Mapping[str, Any]], decided: Sequence[Pair], followed_only: bool) -> dict[str, list[Hop]]:
    """From each identifier, the steps that lead away from it, in the order of where they lead."""
    linked = {frozenset(pair) for pair in decided}
    found: dict[tuple[str, str], Hop] = {}
    for row in links:
        pair = (row["identifier_id"], row["other_identifier_id"])
        is_decided = frozenset(pair) in linked
        if pair[0] != pair[1] and (is_decided or not followed_only or row["severed"] is None):
            for one, other in (pair, pair[::-1]):
                found[one, other] = Hop(one, other, row, is_decided)
    for pair in decided:
        for one, other in (pair, pair[::-1]):
            found.setdefault((one, other), Hop(one, other, None, True))
    steps: dict[str, list[Hop]] = {}
    for _, hop in sorted(found.items()):
        steps.setdefault(hop.one, []).append(hop)
    return steps


def _walked_back(came_by: Mapping[str, Hop], one: str, other: str) -> list[Hop]:
    chain: list[Hop] = []
    while other != one:
        chain.append(came_by[other])
        other = chain[-1].one
    return chain[::-1]
