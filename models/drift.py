"""How far today's customers are from those that a model was trained on: the population stability index (PSI)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import MEASURES

WATCHED: tuple[str, ...] = tuple(measure for measure in MEASURES if measure != "tenure")
"""Tenure grows by a day every day for everybody: that time goes by says nothing about the customers."""

PARTS = 10
LEAST_SHARE = 1e-4
"""An empty part counts as so much: the index of nothing against something would be infinite."""

SEGMENTS = "segments"
"""The subject of the drift of the segment mix, beside the measures."""


@dataclass(frozen=True)
class Reference:
    """The training's customers: each measure's deciles (ties once), the shares between them, and the segments' shares."""

    cuts: Mapping[str, tuple[float, ...]]
    shares: Mapping[str, tuple[float, ...]]
    mix: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Reference:
        """A reference as :meth:`to_dict` wrote it."""
        cuts, shares = ({name: tuple(found) for name, found in value[key].items()} for key in ("cuts", "shares"))
        return cls(cuts, shares, value["mix"])


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """PSI of two lists of shares: 0 for equal ones, below 0.1 little, above 0.25 a different population."""
    pairs = [(max(e, LEAST_SHARE), max(f, LEAST_SHARE)) for e, f in zip(expected, found, strict=True)]
    return sum((f - e) * math.log(f / e) for e, f in pairs)


def fit_reference(features: DataFrame, sizes: Mapping[str, int]) -> Reference:
    """Features (one row per profile) and customers by segment -> what later customers are compared with."""
    deciles = [F.percentile(measure, F.array(*[F.lit(part / PARTS) for part in range(1, PARTS)])) for measure in WATCHED]
    row = features.agg(*(found.alias(measure) for found, measure in zip(deciles, WATCHED, strict=True))).collect()[0]
    cuts: dict[str, tuple[float, ...]] = {measure: tuple(sorted(set(row[measure]))) for measure in WATCHED}
    customers = sum(sizes.values())
    mix = {name: size / customers for name, size in sizes.items()}
    return Reference(cuts, _shares(features, cuts), mix)


def measure_drift(reference: Reference, features: DataFrame, sizes: Mapping[str, int]) -> dict[str, float]:
    """PSI by measure, and that of the segment mix under ``segments``; empty without customers. One pass over the rows."""
    customers = sum(sizes.values())
    if not customers:
        return {}
    found = _shares(features, reference.cuts)
    drift = {measure: stability_index(reference.shares[measure], found[measure]) for measure in WATCHED}
    names = sorted({*reference.mix, *sizes})
    shares = [sizes.get(name, 0) / customers for name in names]
    return {**drift, SEGMENTS: stability_index([reference.mix.get(name, 0.0) for name in names], shares)}


def retrain_reasons(drift: Mapping[str, float], bound: float) -> list[str]:
    """What asks for a new model, the strongest first."""
    over = sorted(((psi, subject) for subject, psi in drift.items() if psi > bound), reverse=True)
    return [f"{subject}: PSI {psi:.2f} is over {bound:g}" for psi, subject in over]


def _shares(features: DataFrame, cuts: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
    """The share of rows in each part: up to the first cut, above it up to the second, …, above the last."""
    counts = [F.count(F.when(part, 1)) for measure, found in cuts.items() for part in _parts(measure, found)]
    row = features.agg(F.count(F.lit(1)), *counts).collect()[0]
    customers, numbers = max(row[0], 1), iter(row[1:])
    return {measure: tuple(next(numbers) / customers for _ in range(len(found) + 1)) for measure, found in cuts.items()}


def _parts(measure: str, cuts: Sequence[float]) -> list[Column]:
    value, bounds = F.col(measure), [-math.inf, *cuts, math.inf]
    return [(value > low) & (value <= high) for low, high in pairwise(bounds)]
