"""What a cluster's customers are like: medians, and where these stand among all customers."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from conf.segments import MEASURES
from models.naming import ClusterProfile

CLUSTER = "cluster"


def profile_clusters(clusters: DataFrame) -> tuple[ClusterProfile, ...]:
    """Features with ``cluster`` (one row per profile) -> one description per cluster with customers, by cluster number.

    Medians are exact. A position is the share of customers below the cluster's median, ties counted half. Two passes
    over the rows, whatever their number; only the descriptions come to the driver.
    """
    medians = _medians(clusters)
    if not medians:
        return ()
    overall = medians.pop(None)
    below = clusters.agg(
        *[
            F.avg(_share_below(F.col(measure), row[measure])).alias(f"{measure}_{cluster}")
            for cluster, row in medians.items()
            for measure in MEASURES
        ]
    ).collect()[0]
    return tuple(
        ClusterProfile(
            cluster=int(cluster),
            customers=row["customers"],
            medians={measure: row[measure] for measure in MEASURES},
            positions={measure: below[f"{measure}_{cluster}"] for measure in MEASURES},
            overall={measure: overall[measure] for measure in MEASURES},
        )
        for cluster, row in medians.items()
        if cluster is not None
    )


def _medians(clusters: DataFrame) -> dict[int | None, Row]:
    """Exact medians and customers by cluster; those of all customers under None. Empty without customers."""
    medians = [F.percentile(measure, F.lit(0.5)).alias(measure) for measure in MEASURES]
    rows = clusters.cube(CLUSTER).agg(F.count(F.lit(1)).alias("customers"), *medians).collect()
    by_cluster: Mapping[int | None, Row] = {row[CLUSTER]: row for row in rows if row["customers"] > 0}
    return {cluster: by_cluster[cluster] for cluster in sorted(by_cluster, key=lambda one: -1 if one is None else one)}


def _share_below(value: Column, median: float) -> Column:
    return F.when(value < median, 1.0).when(value == median, 0.5).otherwise(0.0)


def map_points(clusters: DataFrame, number: int) -> list[tuple[float, float, int]]:
    """Recency, frequency and cluster of some customers: always the same ones, whatever their ids."""
    chosen = clusters.orderBy(F.xxhash64(*MEASURES), *MEASURES).limit(number)
    return [tuple(row) for row in chosen.select("recency", "frequency", CLUSTER).collect()]
