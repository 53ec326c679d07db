"""The ordered cutting: which links hold inside components that would break a limit.

The links of such a component are taken in the order of trust, and one that would join two clusters into something that
is not allowed is severed; every other one joins. It is Kruskal's algorithm (1956) with a constraint, on union-find with
union by size and path halving (Tarjan 1975; Tarjan and van Leeuwen 1984): n links cost n times a near constant.

Why the answer is well defined. The order is total up to copies of one link, so the answer is a function of the set of
links. A refusal is final: clusters only grow, and what is refused for two clusters is refused for all that contain
them, because each limit compares sums that only grow and an unlinked pair stays apart. So a severed link always ends in
two different profiles, a followed one in a single profile, and a second copy of a link changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.identity.ids import Codes
from transforms.identity.rules import FOLLOWED, OVER_NAMESPACE, OVER_TOTAL, UNLINKED


@dataclass(frozen=True)
class Limits:
    """How much one profile may hold: of each namespace, by rank (None: no limit of its own), and in total."""

    per_namespace: tuple[int | None, ...]
    total: int


class Clusters:
    """Disjoint sets of vertices ``0..n-1`` that know what they hold and which forbidden pairs end in them."""

    def __init__(self, ranks: Sequence[int], limits: Limits, forbidden: Iterable[Sequence[int]] = ()) -> None:
        self._limits = limits
        self._parent = list(range(len(ranks)))
        self._size = [1] * len(ranks)
        self._held: list[dict[int, int]] = [{rank: 1} for rank in ranks]
        self._pairs: dict[int, set[int]] = {}
        for number, pair in enumerate(forbidden):
            for vertex in pair:
                self._pairs.setdefault(vertex, set()).add(number)

    def root(self, vertex: int) -> int:
        """The vertex that stands for the cluster of ``vertex``."""
        parent = self._parent
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    def follow(self, one: int, other: int, decided: bool = False) -> int:
        """Joins the clusters of two vertices where that is allowed; says what became of the link.

        A link inside one cluster is followed. A ``decided`` one heeds only what people forbade.
        """
        one, other = self.root(one), self.root(other)
        if one == other:
            return FOLLOWED
        refusal = self._refusal(one, other, decided)
        if refusal == FOLLOWED:
            self._join(one, other)
        return refusal

    def _refusal(self, one: int, other: int, decided: bool) -> int:
        if self._pairs and not self._pairs.get(one, set()).isdisjoint(self._pairs.get(other, set())):
            return UNLINKED
        if decided:
            return FOLLOWED
        few, many = sorted((self._held[one], self._held[other]), key=len)
        limits = self._limits.per_namespace
        broken = [rank for rank, held in few.items() if _breaks(held, many.get(rank, 0), limits[rank])]
        if broken:
            return OVER_NAMESPACE + min(broken)
        return OVER_TOTAL if self._size[one] + self._size[other] > self._limits.total else FOLLOWED

    def _join(self, one: int, other: int) -> None:
        small, large = sorted((one, other), key=lambda root: self._size[root])
        self._parent[small] = large
        self._size[large] += self._size[small]
        for rank, held in self._held[small].items():
            self._held[large][rank] = self._held[large].get(rank, 0) + held
        if small in self._pairs:
            self._pairs.setdefault(large, set()).update(self._pairs.pop(small))


def _breaks(held: int, other: int, limit: int | None) -> bool:
    # Only where both hold some of it: a cluster that a person's decision brought over the limit of a namespace may
    # still gain what has nothing to do with that namespace.
    return limit is not None and other > 0 and held + other > limit


def order_of_trust(left: Codes, right: Codes, ranks: Codes, last_seen: Codes) -> Codes:
    """The positions of links, most trusted first: by the rank of the weaker end, strong ranks first; then the more
    recently seen first, undated ones last; then by their two vertices, smaller first.
    """
    weaker = np.maximum(ranks[left], ranks[right])
    recency = ~last_seen  # turns the order round, and does not overflow where the time is missing (the smallest int64)
    return np.lexsort((np.maximum(left, right), np.minimum(left, right), recency, weaker))
