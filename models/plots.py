"""Charts of a training: how its candidates compare, how big the segments are, and what they are like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from conf.segments import MEASURES
from models.methods import SPOKEN
from models.naming import NamedCluster, SegmentNames

if TYPE_CHECKING:
    from models.fit import Candidate

MapPoint = tuple[float, float, int]
"""Recency in days, frequency, cluster."""


def plot_candidates(candidates: Sequence[Candidate], chosen: Candidate) -> Figure:
    """Silhouette and cost by k, a line for each method and feature set; costs of different feature sets do not compare."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    lines: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        lines.setdefault(f"{SPOKEN[candidate.method]}, {candidate.feature_set}", []).append(candidate)
    for label, line in lines.items():
        several = sorted(line, key=lambda one: one.k)
        known = [one for one in several if one.silhouette is not None]
        left.plot([one.k for one in known], [one.silhouette for one in known], marker="o", label=label)
        right.plot([one.k for one in several], [one.cost for one in several], marker="o", label=label)
    if chosen.silhouette is not None:
        left.plot([chosen.k], [chosen.silhouette], marker="o", markersize=14, fillstyle="none", color="black", label="chosen")
    for axes, title in ((left, "Silhouette (squared Euclidean)"), (right, "Cost: squared distances to the centres")):
        axes.set_xticks(sorted({candidate.k for candidate in candidates}))
        axes.set_xlabel("clusters (k)")
        axes.set_title(title)
    left.legend(fontsize=8)
    return figure


def plot_map(names: SegmentNames, points: Sequence[MapPoint]) -> Figure:
    """Recency and frequency of some customers, coloured by segment."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    for named in _largest_first(names):
        own = [(recency, frequency) for recency, frequency, cluster in points if cluster == named.cluster]
        if own:
            recencies, frequencies = zip(*own, strict=True)
            axes.scatter(recencies, frequencies, s=12, alpha=0.6, label=named.name)
    axes.set_yscale("symlog")
    axes.set_xlabel("recency (days)")
    axes.set_ylabel("frequency")
    axes.legend(fontsize=8)
    axes.set_title("Segments by recency and frequency")
    return figure


def plot_sizes(names: SegmentNames) -> Figure:
    """Customers per segment, the largest first."""
    segments = _largest_first(names)
    figure = Figure(figsize=(8, 0.5 * len(segments) + 1.5), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([one.name for one in segments], [one.customers for one in segments], color="#4c78a8")
    total = sum(one.customers for one in segments)
    axes.bar_label(bars, [f"{one.customers:,} ({one.customers / total:.0%})" for one in segments], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_xlabel("customers")
    axes.set_title("Segment sizes")
    return figure


def plot_centres(names: SegmentNames) -> Figure:
    """Where each segment's median customer stands among all customers, measure by measure (0 lowest, 1 highest)."""
    segments = _largest_first(names)
    figure = Figure(figsize=(9, 0.5 * len(segments) + 2), layout="constrained")
    axes = figure.subplots()
    positions = [[one.positions[measure] for measure in MEASURES] for one in segments]
    image = axes.imshow(positions, cmap="RdYlBu_r", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(MEASURES)), [measure.replace("_", "\n") for measure in MEASURES])
    axes.set_yticks(range(len(segments)), [one.name for one in segments])
    for row, one in enumerate(segments):
        for column, measure in enumerate(MEASURES):
            axes.text(column, row, f"{one.medians[measure]:,.4g}", ha="center", va="center", fontsize=9)
    figure.colorbar(image, ax=axes, label="position among all customers")
    axes.set_title("Segment centres: medians, coloured by position")
    return figure


def _largest_first(names: SegmentNames) -> list[NamedCluster]:
    return sorted(names.clusters, key=lambda one: (-one.customers, one.name))
