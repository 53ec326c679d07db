"""Business names for clusters: names are claims, so a cluster only gets one whose every condition holds for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from conf.segments import MEASURES, Measure, NameRule, OtherwiseName, SegmentsConfig

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
    """A cluster with its business name (``Loyal``, or ``Loyal 2`` for the second one), its meaning and the reason."""

    cluster: int
    name: str
    meaning: str
    why: str
    customers: int
    medians: Mapping[str, float]
    positions: Mapping[str, float]


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


def name_segments(profiles: Sequence[ClusterProfile], config: SegmentsConfig) -> SegmentNames:
    """One name per cluster: the matching with the least distance to the names' prototypes among all that are true.

    A cluster that no rule is true of gets the neutral name. Two clusters of one name are numbered, the one that is
    more like the name first. A single cluster gets the neutral name: where nobody differs, nobody is a VIP. The result
    does not depend on the clusters' numbers or their order.
    """
    ordered = sorted(profiles, key=_canonical_order)
    costs = np.array([[_cost(profile, rule) for rule in config.names] for profile in ordered])
    costs = costs.reshape(len(ordered), len(config.names))
    fits = [index for index in range(len(ordered)) if len(ordered) > 1 and costs[index].min() < FORBIDDEN]
    chosen = _match(costs[fits])
    named = [_named(ordered[fits[row]], config.names[rule], nth) for row, rule, nth in chosen]
    others = [profile for index, profile in enumerate(ordered) if index not in fits]
    named += [_named(profile, config.otherwise, nth) for nth, profile in enumerate(others)]
    given = {config.names[rule].name for _, rule, _ in chosen}
    return SegmentNames(
        clusters=tuple(sorted(named, key=lambda one: one.cluster)),
        names_without_customers=tuple(rule.name for rule in config.names if rule.name not in given),
    )


def is_true_of(rule: NameRule, profile: ClusterProfile) -> bool:
    """Whether every condition of a name holds for a cluster's medians."""
    in_position = all(low <= profile.positions[measure] <= high for measure, (low, high) in rule.when.items())
    in_value = all(low <= profile.medians[measure] <= high for measure, (low, high) in rule.values.items())
    return in_position and in_value


def _cost(profile: ClusterProfile, rule: NameRule) -> float:
    """Root mean square distance, in positions, between a cluster and a name's prototype; FORBIDDEN if not true."""
    if not is_true_of(rule, profile):
        return FORBIDDEN
    differences = [profile.positions[measure] - position for measure, position in rule.prototype.items()]
    return float(np.sqrt(np.mean(np.square(differences)))) if differences else 0.0


def _match(costs: np.ndarray) -> list[tuple[int, int, int]]:
    """(cluster row, rule, how many clusters of that name come before it) of the cheapest matching.

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
    result: list[tuple[int, int, int]] = []
    for rule, _, row in chosen:
        earlier = sum(1 for _, other, _ in result if other == rule)
        result.append((row, rule, earlier))
    return result


def _canonical_order(profile: ClusterProfile) -> tuple[float, ...]:
    positions = (profile.positions[measure] for measure in MEASURES)
    return (*positions, *(profile.medians[measure] for measure in MEASURES), -profile.customers)


def _named(profile: ClusterProfile, rule: NameRule | OtherwiseName, earlier: int) -> NamedCluster:
    return NamedCluster(
        cluster=profile.cluster,
        name=rule.name if earlier == 0 else f"{rule.name} {earlier + 1}",
        meaning=rule.meaning,
        why=explain_profile(profile),
        customers=profile.customers,
        medians=dict(profile.medians),
        positions=dict(profile.positions),
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
