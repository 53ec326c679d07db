"""The rules that one resolution follows: what is declared, what people decided, and what time it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from conf.identity import IdentityConfig

Pair = tuple[str, str]

FOLLOWED, UNLINKED, EXPIRED, HUB, SETTLED, OVER_TOTAL, OVER_NAMESPACE = range(7)
"""What becomes of a link, as a number; ``OVER_NAMESPACE + rank`` stands for the limit of the namespace of that rank."""


@dataclass(frozen=True)
class ResolutionRules:
    """``links`` and ``unlinks`` are pairs of ``identifier_id``, in any order and direction.

    A ``link`` is followed before all others and whatever the limits, a hub or an expiry say; an ``unlink`` means never
    in one profile, also not through others. Of a pair that is both, the unlink holds. A pair of which one end was never
    seen waits for it. ``as_of`` is needed where a namespace expires, and has a time zone. Raises ValueError.
    """

    config: IdentityConfig
    links: tuple[Pair, ...] = ()
    unlinks: tuple[Pair, ...] = ()
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        if self.config.expires and self.as_of is None:
            raise ValueError("a namespace has `expires_after`: resolving needs an `as_of`")
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise ValueError(f"as_of {self.as_of} needs a time zone")

    @property
    def decided_links(self) -> tuple[Pair, ...]:
        """The links that people decided and nobody forbade: each pair once, smaller id first, sorted."""
        return tuple(sorted(_unordered(self.links) - _unordered(self.unlinks)))

    @property
    def decided_unlinks(self) -> tuple[Pair, ...]:
        """The pairs that people forbade: each once, smaller id first, sorted."""
        return tuple(sorted(_unordered(self.unlinks)))

    @property
    def reasons(self) -> tuple[str | None, ...]:
        """What ``severed`` says, by the number of what became of a link."""
        named = tuple(f"limit:{name}" for name in self.config.namespace_names)
        return (None, "unlinked", "expired", "hub", None, "limit:total", *named)

    def expiry(self, name: str) -> datetime | None:
        """Links of namespace ``name`` last seen before this moment have expired; None: they never do."""
        lifetime = self.config.namespace(name).lifetime
        if lifetime is None or self.as_of is None:
            return None
        return self.as_of.astimezone(timezone.utc) - lifetime


def standing_decisions(decisions: Iterable[Mapping[str, Any]]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Rows of ``silver.identity_rules``, in any order -> (links, unlinks) that hold: of one pair, the last decision does."""
    last: dict[Pair, str] = {}
    for row in sorted(decisions, key=lambda row: row["decided_at"]):
        last[row["identifier_id"], row["other_identifier_id"]] = row["decision"]
    links, unlinks = (tuple(sorted(pair for pair, held in last.items() if held == word)) for word in ("link", "unlink"))
    return links, unlinks


def _unordered(pairs: tuple[Pair, ...]) -> set[Pair]:
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
