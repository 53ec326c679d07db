"""Scores of recency, frequency and monetary value, and the classical cell that they make: ``5-4-5``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import Measure
from conf.tables.gold import RFM_SCORES

SCORED: tuple[Measure, ...] = ("recency", "frequency", "monetary")


@dataclass(frozen=True)
class ScoreCuts:
    """The highest value of every level but the last, by measure, as they were among the training's customers.

    Where customers differ in fewer values than ``levels``, a measure has fewer levels: ``shortfalls`` says so.
    """

    levels: int
    cuts: Mapping[str, tuple[float, ...]]

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """One sentence per measure that has fewer levels than were asked for."""
        return tuple(
            f"{measure}: {len(cuts) + 1} of {self.levels} levels, for customers differ in no more values"
            for measure, cuts in self.cuts.items()
            if len(cuts) + 1 < self.levels
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ScoreCuts:
        """Cuts as :meth:`to_dict` wrote them."""
        return cls(value["levels"], {measure: tuple(cuts) for measure, cuts in value["cuts"].items()})


def fit_scores(features: DataFrame, levels: int) -> ScoreCuts:
    """Features (one row per profile) -> where each measure's levels end.

    Equal customers have equal scores, and yet there are as many levels as asked for wherever there are as many values:
    each level takes its share of the customers that are left above the level before, and all who tie with its last one,
    as long as every level to come keeps a value of its own. So where a third has bought once, the lowest level of
    frequency holds that third, and the others share the rest. Exact; ``levels`` passes over the rows.
    """
    highest = {measure: _highest_values(features, measure, levels) for measure in SCORED}
    cuts = {measure: sorted(values)[:-1] if len(values) < levels else [] for measure, values in highest.items()}
    divided = [measure for measure in SCORED if len(highest[measure]) == levels]
    for level in range(1, levels if divided else 1):
        shares = [_share_above(measure, cuts[measure], levels - level + 1) for measure in divided]
        row = features.agg(*shares).collect()[0]
        for measure in divided:
            # The values above the cut must be as many as the levels above it.
            cuts[measure].append(min(row[measure], highest[measure][levels - level]))
    return ScoreCuts(levels, {measure: tuple(found) for measure, found in cuts.items()})


def score_customers(features: DataFrame, scores: ScoreCuts, model_version: str) -> DataFrame:
    """Features (one row per profile) -> ``gold.rfm_scores``: 1 to the number of levels; a low recency scores high."""
    level = {measure: _level(measure, scores.cuts[measure]) for measure in SCORED}
    level["recency"] = F.lit(len(scores.cuts["recency"]) + 2) - level["recency"]
    scored = features.select("profile_id", *(level[measure].cast("int").alias(f"{measure}_score") for measure in SCORED))
    cell = F.concat_ws("-", *(f"{measure}_score" for measure in SCORED))
    return scored.withColumns({"rfm_cell": cell, "model_version": F.lit(model_version)}).select(*RFM_SCORES.column_names)


def _highest_values(features: DataFrame, measure: str, number: int) -> list[float]:
    """The highest different values, from the highest down."""
    rows = features.select(measure).distinct().orderBy(F.col(measure).desc()).limit(number).collect()
    return [row[measure] for row in rows]


def _share_above(measure: str, cuts: Sequence[float], shares: int) -> Column:
    """The value at which the first of so many equal shares of the customers above the last cut ends."""
    above = f" FILTER (WHERE {measure} > {cuts[-1]!r}D)" if cuts else ""
    return F.expr(f"percentile_disc({1 / shares!r}D) WITHIN GROUP (ORDER BY {measure}){above}").alias(measure)


def _level(measure: str, cuts: Sequence[float]) -> Column:
    passed = [(F.col(measure) > cut).cast("int") for cut in cuts]
    return sum(passed, start=F.lit(1))
