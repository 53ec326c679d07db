"""How many customers get another segment's name by a new model, although nothing about them has changed.

Two measurements over the sample's real purchases, with a fixed k: models trained on resamples of the customers, each held
against the champion; and a model a day, each held against that of the day before. Both models label the same customers on
the same day, so whoever changes the name, the model did it. Cluster numbers are reported beside the names: what an
implementation without names would show. A model that goes on from the champion keeps them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.segments_training import first_set_with
from conf.segments import Clusters, SegmentsConfig
from conf.tables.silver import ACTIVITY
from jobs.sample.days import FIRST_DAY, FIRST_DELIVERY
from jobs.sample.real_data import load_real_data

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from models.tracking import Served

NAME = "segments-stability"
RESAMPLES = 10
SIZES: dict[str, tuple[int | None, int]] = {"s": (600, 5), "m": (None, 20), "l": (None, 60)}
"""Households of the sample (None: all), and days with a new model each."""
CLUSTERS = Clusters(k=(6,), seed=20170101, starts=3, finalists=1, resamples=0)


def measure(size: str, scratch: Path) -> dict[str, Any]:
    """What the report holds beside the machine: shares of customers, in percent."""
    households, days = SIZES[size]
    config = first_set_with(CLUSTERS)
    activity = _activity(households, scratch)
    last = FIRST_DELIVERY
    champion = _train(_features(activity, last, config, scratch), config, None)
    return {
        "work": {"households": households or "all", "k": CLUSTERS.k[0], "resamples": RESAMPLES, "days": days},
        "resampled": _summary(list(_resampled(_features(activity, last, config, scratch), champion, config))),
        "daily": _summary(list(_daily(activity, range(last - days, last + 1), config, scratch))),
    }


def report_lines(report: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [f"{NAME}, size {report['size']}: customers who change although their numbers did not, in percent"]
    for what in ("resampled", "daily"):
        for kind, figures in report[what].items():
            shown = "   ".join(f"{name} {value:6.2f}" for name, value in figures.items())
            lines.append(f"  {what:10} {kind:16} {shown}")
    return "\n".join(lines)


def _resampled(features: DataFrame, champion: Served, config: SegmentsConfig) -> Iterator[tuple[float, float]]:
    for seed in range(RESAMPLES):
        drawn = features.sample(withReplacement=True, fraction=1.0, seed=seed)
        yield _changed(features, champion, _train(features, config, champion, drawn))


def _daily(activity: DataFrame, days: range, config: SegmentsConfig, scratch: Path) -> Iterator[tuple[float, float]]:
    before: Served | None = None
    for day in days:
        features = _features(activity, day, config, scratch)
        model = _train(features, config, before)
        if before is not None:
            yield _changed(features, before, model)
        before = model


def _train(features: DataFrame, config: SegmentsConfig, champion: Served | None, drawn: DataFrame | None = None) -> Served:
    """A model of the customers that were drawn, named over all of them, beside the champion."""
    from models.assign import assign_clusters
    from models.challenge import face_champion
    from models.drift import fit_reference
    from models.fit import choose, fit_candidates
    from models.naming import name_segments
    from models.profiles import profile_clusters
    from models.scores import ScoreCuts
    from models.tracking import Segmentation, Served

    chosen = choose(fit_candidates(features if drawn is None else drawn, config, champion.model if champion else None))
    profiles = profile_clusters(assign_clusters(features, chosen.model))
    before = face_champion(features, chosen.model, profiles, champion, config.clusters)[1] if champion else None
    names = name_segments(profiles, config, before)
    segmentation = Segmentation(names, ScoreCuts(5, {}), fit_reference(features, {"all": 1}), {}, chosen.silhouette)
    return Served("before", "", chosen.model, segmentation, {})


def _changed(features: DataFrame, one: Served, other: Served) -> tuple[float, float]:
    """The percentage of customers with another name, and with another cluster number."""
    from pyspark.sql import functions as F

    from models.assign import assign_segments

    columns = ("segment", "cluster")
    left = assign_segments(features, one.model, one.names).select("profile_id", *(F.col(c).alias(f"old_{c}") for c in columns))
    both = left.join(assign_segments(features, other.model, other.names), "profile_id")
    shares = [F.avg((F.col(c) != F.col(f"old_{c}")).cast("double")) for c in columns]
    names, numbers = both.agg(*shares).collect()[0]
    return 100 * names, 100 * numbers


def _summary(shares: list[tuple[float, float]]) -> dict[str, dict[str, float]]:
    found = {}
    for position, kind in enumerate(("names", "cluster numbers")):
        values = [share[position] for share in shares]
        figures = {"median": statistics.median(values), "mean": statistics.mean(values), "max": max(values)}
        found[kind] = {name: round(value, 2) for name, value in figures.items()}
    return found


def _activity(households: int | None, scratch: Path) -> DataFrame:
    """Purchases by household and day, as ``silver.activity`` has them."""
    import pandas as pd

    from jobs.runtime.session import get_session

    lines = load_real_data(households).lines
    orders = lines.groupby(["household_id", "day", "basket_id"], as_index=False)["sales_value"].sum()
    by_day = orders[orders["sales_value"] > 0].groupby(["household_id", "day"], as_index=False)
    days = by_day.agg(purchases=("basket_id", "size"), revenue=("sales_value", "sum"))
    noon = [datetime.combine(FIRST_DAY + timedelta(days=int(day)), time(12), timezone.utc) for day in days["day"]]
    rows = pd.DataFrame(
        {
            "identifier_id": days["household_id"].astype(str),
            "activity_on": [moment.date() for moment in noon],
            "purchases": days["purchases"],
            "units": Decimal(0),
            "revenue": [Decimal(str(round(money, 2))) for money in days["revenue"]],
            "returned": Decimal(0),
            "first_purchase_at": noon,
            "last_purchase_at": noon,
        }
    )
    kinds = [field for field in ACTIVITY.schema if field.name in rows.columns]
    schema = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in kinds)
    path = str(scratch / "activity")
    get_session().createDataFrame(rows[[field.name for field in kinds]], schema).write.mode("overwrite").parquet(path)
    return get_session().read.parquet(path)


def _features(activity: DataFrame, day: int, config: SegmentsConfig, scratch: Path) -> DataFrame:
    """All households that had bought by the end of a day, as they were measured on it; ``day`` counts from 1."""
    from pyspark.sql import functions as F

    from jobs.runtime.session import get_session
    from models.features import segment_features
    from transforms.rfm import score_rfm

    until = FIRST_DAY + timedelta(days=day - 1)
    known = activity.where(F.col("activity_on") <= F.lit(until))
    identities = known.select("identifier_id", F.col("identifier_id").alias("profile_id")).distinct()
    as_of = datetime.combine(until, time(23, 59), timezone.utc)
    path = str(scratch / f"features-{day}")
    segment_features(score_rfm(known, identities, config, as_of), as_of, config.window_days).write.mode("overwrite").parquet(path)
    return get_session().read.parquet(path)
