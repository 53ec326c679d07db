"""Business names for clusters: names are claims, so a cluster only gets one whose every condition holds for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from conf.segments import MEASURES, Measure, NameRule, SegmentsConfig

REPEAT_COST = 0.25
"""What a second cluster of one name costs, in positions: another true name is preferred while it is no further off."""

FORBIDDEN = 1e6
"""More than any sum of true names can cost, so that a name that is not true is never part of the best matching."""

UNITS: Mapping[Measure, str] = {"recency": " d", "tenure": " d", "purchase_rate": " a week"}
SPOKEN: Mapping[Measure, str] = {"purchase_rate": "purchase rate", "missed_purchases": "missed purchases"}


@dataclass(frozen=True)
class ClusterProfile:
    """What one cluster's customers are like. ``medians`` are in their own units (days, purchases, money).

    ``positions`` say where each median stands among all customers: 0 the lowest, 1 the highest, ties counted half.
    ``overall`` holds the medians of all customers.
    """

    cluster: int
    customers: int
    medians: Mapping[str, float]
    positions: Mapping[str, float]
    overall: Mapping[str, float]


@dataclass(frozen=True)
class NamedCluster:
    """A cluster with its business name (``Loyal``, or ``Loyal 2`` for the second one), its meaning and the reason.

    ``history`` says what became of the name that these customers had under the champion; '' without one.
    """

    cluster: int
    name: str
    meaning: str
    why: str
    customers: int
    medians: Mapping[str, float]
    positions: Mapping[str, float]
    history: str = ""


@dataclass(frozen=True)
class FormerName:
    """The name that a cluster's match has under the champion, and ``share``, how much of the cluster was there (0 to 1)."""

    name: str
    version: str
    share: float

    @property
    def base(self) -> str:
        """The declared name, without a number."""
        return self.name.rstrip(" 0123456789")


@dataclass(frozen=True)
class SegmentNames:
    """Every cluster's name, ordered by cluster, and the declared names that no cluster deserves."""

    clusters: tuple[NamedCluster, ...]
    names_without_customers: tuple[str, ...]

    def name_of(self, cluster: int) -> str:
        """The name of a cluster; raises KeyError for a cluster that the model does not have."""
        return {named.cluster: named.name for named in self.clusters}[cluster]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` reads them back."""
        return {
            "clusters": [asdict(named) for named in self.clusters],
            "names_without_customers": list(self.names_without_customers),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> SegmentNames:
        """Names as :meth:`to_dict` wrote them."""
        return cls(
            clusters=tuple(NamedCluster(**named) for named in value["clusters"]),
            names_without_customers=tuple(value["names_without_customers"]),
        )


def name_segments(
    profiles: Sequence[ClusterProfile], config: SegmentsConfig, former: Mapping[int, FormerName] | None = None
) -> SegmentNames:
    """One name per cluster: the matching with the least distance to the names' prototypes among all that are true.

    A cluster that no rule is true of gets the neutral name. Two clusters of one name are numbered, the one that is
    more like the name first. A single cluster gets the neutral name: where nobody differs, nobody is a VIP. The result
    does not depend on the clusters' numbers or their order.

    ``former`` has the names that matched clusters have under the champion. Such a name is kept, number included, as long as
    it is still true, or misses a bound by no more than ``gate.name_slack``; so a name changes only when the customers did.
    """
    ordered = sorted(profiles, key=_canonical_order)
    kept = _kept_names(ordered, config, former or {}) if len(ordered) > 1 else {}
    open_rows = [profile for profile in ordered if profile.cluster not in kept]
    rules = list(config.names)
    used = [sum(one.base == rule.name for one in kept.values()) for rule in rules]
    costs = np.array([[_cost(profile, rule) for rule in rules] for profile in open_rows]).reshape(len(open_rows), len(rules))
    costs += REPEAT_COST * np.array(used)
    fits = [index for index in range(len(open_rows)) if len(ordered) > 1 and costs[index].min() < FORBIDDEN]
    given: dict[int, tuple[str, str]] = {
        profile.cluster: (kept[profile.cluster].name, _meaning(kept[profile.cluster].base, config))
        for profile in ordered
        if profile.cluster in kept
    }
    for row, rule in _match(costs[fits]):
        given[open_rows[fits[row]].cluster] = (_free_name(rules[rule].name, given), rules[rule].meaning)
    for profile in open_rows:
        if profile.cluster not in given:
            given[profile.cluster] = (_free_name(config.otherwise.name, given), config.otherwise.meaning)
    named = [_named(profile, *given[profile.cluster], _history(profile, given, config, former or {})) for profile in ordered]
    taken = {name.rstrip(" 0123456789") for name, _ in given.values()}
    return SegmentNames(
        clusters=tuple(sorted(named, key=lambda one: one.cluster)),
        names_without_customers=tuple(rule.name for rule in rules if rule.name not in taken),
    )


def is_true_of(rule: NameRule, profile: ClusterProfile, slack: float = 0.0) -> bool:
    """Whether every condition of a name holds for a cluster's medians, or misses its bound by no more than ``slack``.

    ``slack`` is in positions; a bound on values may be missed by that part of itself.
    """
    return not broken_conditions(rule, profile, slack)


def broken_conditions(rule: NameRule, profile: ClusterProfile, slack: float = 0.0) -> list[str]:
    """What is not true of a cluster: ``monetary is at 0.61 of all customers, not from 0.72 to 1``."""
    broken = []
    for measure, (low, high) in rule.when.items():
        position = profile.positions[measure]
        if not low - slack <= position <= high + slack:
            spoken = SPOKEN.get(measure, measure)
            broken.append(f"{spoken} is at {position:.2f} of all customers, not from {low:g} to {high:g}")
    for measure, (low, high) in rule.values.items():
        median = profile.medians[measure]
        if not low - slack * abs(low) <= median <= high + slack * abs(high):
            broken.append(f"{SPOKEN.get(measure, measure)} is {_shown(median)}, not from {low:g} to {high:g}")
    return broken


def _kept_names(
    profiles: Sequence[ClusterProfile], config: SegmentsConfig, former: Mapping[int, FormerName]
) -> dict[int, FormerName]:
    """The names that stay, numbers included. The neutral one stays where no rule is true."""
    rules = {rule.name: rule for rule in config.names}
    kept: dict[int, FormerName] = {}
    for profile in profiles:
        name = former.get(profile.cluster)
        if name is None:
            continue
        if name.base == config.otherwise.name:
            stays = not any(is_true_of(rule, profile) for rule in config.names)
        else:
            stays = name.base in rules and is_true_of(rules[name.base], profile, config.gate.name_slack)
        if stays:
            kept[profile.cluster] = name
    return kept


def _history(
    profile: ClusterProfile,
    given: Mapping[int, tuple[str, str]],
    config: SegmentsConfig,
    former: Mapping[int, FormerName],
) -> str:
    was = former.get(profile.cluster)
    if was is None:
        return "" if not former else "New: no segment before it has these customers."
    customers = f"{was.share:.0%} of its customers were there"
    if given[profile.cluster][0] == was.name:
        return f"{was.name} in version {was.version}, too: {customers}."
    rule = next((rule for rule in config.names if rule.name == was.base), None)
    if rule is None:
        return f"Was {was.name} in version {was.version}: {customers}."
    broken = broken_conditions(rule, profile, config.gate.name_slack)
    return f"Was {was.name} in version {was.version}: {customers}, but {', '.join(broken)}."


def _meaning(base: str, config: SegmentsConfig) -> str:
    return next((rule.meaning for rule in config.names if rule.name == base), config.otherwise.meaning)


def _free_name(base: str, given: Mapping[int, tuple[str, str]]) -> str:
    """``Loyal``, or ``Loyal 2`` where that one is given already."""
    names = {name for name, _ in given.values()}
    numbered = (base if number == 1 else f"{base} {number}" for number in range(1, len(names) + 2))
    return next(name for name in numbered if name not in names)


def _cost(profile: ClusterProfile, rule: NameRule) -> float:
    """Root mean square distance, in positions, between a cluster and a name's prototype; FORBIDDEN if not true."""
    if not is_true_of(rule, profile):
        return FORBIDDEN
    differences = [profile.positions[measure] - position for measure, position in rule.prototype.items()]
    return float(np.sqrt(np.mean(np.square(differences)))) if differences else 0.0


def _match(costs: np.ndarray) -> list[tuple[int, int]]:
    """(cluster row, rule) of the cheapest matching, the truer one first among clusters of one name.

    Each name stands once per cluster, every repetition dearer by REPEAT_COST, so that the assignment problem's own
    solution says when two clusters share a name.
    """
    from scipy.optimize import linear_sum_assignment

    clusters, rules = costs.shape
    if not clusters:
        return []
    repeated = np.concatenate([costs + REPEAT_COST * copy for copy in range(clusters)], axis=1)
    rows, columns = linear_sum_assignment(repeated)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    chosen = sorted((column % rules, float(costs[row, column % rules]), row) for row, column in pairs)
    return [(row, rule) for rule, _, row in chosen]


def _canonical_order(profile: ClusterProfile) -> tuple[float, ...]:
    positions = (profile.positions[measure] for measure in MEASURES)
    return (*positions, *(profile.medians[measure] for measure in MEASURES), -profile.customers)


def _named(profile: ClusterProfile, name: str, meaning: str, history: str) -> NamedCluster:
    return NamedCluster(
        cluster=profile.cluster,
        name=name,
        meaning=meaning,
        why=explain_profile(profile),
        customers=profile.customers,
        medians=dict(profile.medians),
        positions=dict(profile.positions),
        history=history,
    )


def explain_profile(profile: ClusterProfile) -> str:
    """The medians of a cluster beside those of all customers: ``recency 12 d (median 41), ...``."""
    parts = [
        f"{SPOKEN.get(measure, measure)} {_shown(profile.medians[measure])}{UNITS.get(measure, '')} "
        f"(median {_shown(profile.overall[measure])})"
        for measure in MEASURES
    ]
    return ", ".join(parts)


def _shown(value: float) -> str:
    whole = abs(value) >= 100 or value == int(value)
    return f"{value:,.0f}" if whole else f"{value:.3g}"
