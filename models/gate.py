"""The gate between a challenger and the champion: what it has to show, and what it says where it does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conf.segments import SegmentsConfig
from models.naming import ClusterProfile, SegmentNames, broken_conditions


@dataclass(frozen=True)
class Standing:
    """A model as it does on today's customers; ``silhouette`` is None where it has one cluster only."""

    version: str
    silhouette: float | None
    names: SegmentNames


@dataclass(frozen=True)
class Former:
    """The champion on the challenger's customers: how it stands, how much both agree, what its clusters are like today."""

    standing: Standing
    agreement: float
    profiles: tuple[ClusterProfile, ...]


@dataclass(frozen=True)
class Check:
    """One question of the gate, whether it was passed, and a sentence with the numbers."""

    name: str
    passed: bool
    said: str


@dataclass(frozen=True)
class Verdict:
    """All checks of one challenger."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether it may serve."""
        return all(check.passed for check in self.checks)

    @property
    def objections(self) -> tuple[str, ...]:
        """What stands against it, in sentences."""
        return tuple(check.said for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def judge(challenger: Standing, former: Former | None, config: SegmentsConfig) -> Verdict:
    """Holds a challenger against the champion. Without one there is nothing to be worse than: somebody has to serve."""
    if former is None:
        return Verdict((Check("champion", True, "There was no champion to compare it with."),))
    return Verdict(
        (
            _quality(challenger, former, config),
            _agreement(former, config),
            *_sizes(challenger, config),
            *_lost_names(challenger, former, config),
        )
    )


def _quality(challenger: Standing, former: Former, config: SegmentsConfig) -> Check:
    new, old = (-1.0 if one.silhouette is None else one.silhouette for one in (challenger, former.standing))
    allowed = config.gate.silhouette_drop
    said = (
        f"Its silhouette is {new:.3f}, that of the champion on the same customers {old:.3f} (a drop of {allowed:g} is allowed)."
    )
    return Check("quality", new >= old - allowed, said)


def _agreement(former: Former, config: SegmentsConfig) -> Check:
    asked = config.gate.agreement
    said = f"It agrees with the champion at an adjusted Rand index of {former.agreement:.2f} ({asked:g} is asked for)."
    return Check("agreement", former.agreement >= asked, said)


def _sizes(challenger: Standing, config: SegmentsConfig) -> list[Check]:
    gate = config.gate
    customers = sum(named.customers for named in challenger.names.clusters)
    shares = {named.name: named.customers / customers for named in challenger.names.clusters}
    small, large = min(shares, key=lambda name: shares[name]), max(shares, key=lambda name: shares[name])
    return [
        Check(
            "smallest segment",
            shares[small] >= gate.smallest_share,
            f"{small} has {shares[small]:.1%} of the customers (at least {gate.smallest_share:.1%} is asked for).",
        ),
        Check(
            "largest segment",
            shares[large] <= gate.largest_share,
            f"{large} has {shares[large]:.1%} of the customers (at most {gate.largest_share:.1%} is allowed).",
        ),
    ]


def _lost_names(challenger: Standing, former: Former, config: SegmentsConfig) -> list[Check]:
    """One check per name that the champion gives and the challenger does not."""
    given = {named.name for named in challenger.names.clusters}
    profiles: Mapping[int, ClusterProfile] = {profile.cluster: profile for profile in former.profiles}
    lost = [named for named in former.standing.names.clusters if named.name not in given]
    return [_lost_name(named.name, profiles.get(named.cluster), given, config) for named in lost]


def _lost_name(name: str, today: ClusterProfile | None, given: set[str], config: SegmentsConfig) -> Check:
    """Whether there is a reason: nobody is left whom the name describes, or others bear it."""
    base = name.rstrip(" 0123456789")
    rule = next((rule for rule in config.names if rule.name == base), None)
    reasons: Sequence[tuple[bool, str]] = (
        (rule is None and base != config.otherwise.name, "it is no longer declared"),
        (rule is None, "it is the neutral one"),
        (any(other.rstrip(" 0123456789") == base for other in given), f"other customers are called {base}"),
        (today is None, "nobody is in that segment today"),
    )
    for holds, reason in reasons:
        if holds:
            return Check("names", True, f"{name} is given up: {reason}.")
    assert rule is not None
    assert today is not None
    broken = broken_conditions(rule, today)
    if broken:
        return Check("names", True, f"{name} is given up: {', '.join(broken)}.")
    return Check("names", False, f"{name} is lost, though it is still true of {today.customers:,} customers.")
