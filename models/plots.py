"""Charts of a training: how big the segments are, and what they are like."""

from __future__ import annotations

from matplotlib.figure import Figure

from conf.segments import MEASURES
from models.naming import NamedCluster, SegmentNames


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
