"""Which cluster of a new model is which of the champion's: by the customers in common, then by what they are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from conf.segments import MEASURES
from models.naming import ClusterProfile

NEAR = 0.15
"""How far apart, in positions, two clusters without customers in common may be and still be taken for the same."""

Matches = Mapping[int, tuple[int, float]]
"""New cluster -> the champion's cluster, and the share of its customers that come from there, 0 to 1."""


def match_clusters(shared: NDArray[np.int64], champions: Sequence[ClusterProfile], new: Sequence[ClusterProfile]) -> Matches:
    """The pairs that together have the most in common; a cluster may stay without a partner.

    ``shared`` says how many customers each cluster of the champion (down) and each new one (across) have in common. Pairs
    are judged by the part of their customers that is in both (Jaccard); what is left over then, by the distance of their
    medians' positions. The result does not depend on the numbers of clusters.
    """
    overlap = np.array([[_jaccard(shared, one.cluster, other.cluster) for other in new] for one in champions])
    overlap = overlap.reshape(len(champions), len(new))
    pairs = [(one, other) for one, other in _best_pairs(-overlap) if overlap[one, other] > 0]
    left_of_champions = [one for one in range(len(champions)) if one not in {pair[0] for pair in pairs}]
    left_of_new = [other for other in range(len(new)) if other not in {pair[1] for pair in pairs}]
    distances = np.array([[_distance(champions[one], new[other]) for other in left_of_new] for one in left_of_champions])
    distances = distances.reshape(len(left_of_champions), len(left_of_new))
    alike = [(one, other) for one, other in _best_pairs(distances) if distances[one, other] <= NEAR]
    pairs += [(left_of_champions[one], left_of_new[other]) for one, other in alike]
    return {
        new[other].cluster: (champions[one].cluster, _share(shared, champions[one].cluster, new[other].cluster))
        for one, other in pairs
    }


def _best_pairs(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    if not costs.size:
        return []
    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _jaccard(shared: NDArray[np.int64], one: int, other: int) -> float:
    both = _cell(shared, one, other)
    either = _row(shared, one) + _row(shared.T, other) - both
    return both / either if either else 0.0


def _share(shared: NDArray[np.int64], one: int, other: int) -> float:
    total = _row(shared.T, other)
    return _cell(shared, one, other) / total if total else 0.0


def _row(shared: NDArray[np.int64], one: int) -> int:
    return int(shared[one].sum()) if one < shared.shape[0] else 0


def _cell(shared: NDArray[np.int64], one: int, other: int) -> int:
    """A cluster that has no customers today may lie beyond the table."""
    return int(shared[one, other]) if one < shared.shape[0] and other < shared.shape[1] else 0


def _distance(one: ClusterProfile, other: ClusterProfile) -> float:
    """Root mean square, in positions."""
    differences = [one.positions[measure] - other.positions[measure] for measure in MEASURES]
    return float(np.sqrt(np.mean(np.square(differences))))
