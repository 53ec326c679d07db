"""The ways to cluster: what each is called in Spark, how well a start went, and where a cluster's centre is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, GaussianMixtureModel, KMeans
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.segments import Clusters, Method
from models.preparation import SCALED

PREDICTION = "prediction"
"""What MLflow expects a pipeline's last column to be called; elsewhere in the suite it is the cluster."""

SPOKEN: dict[Method, str] = {"kmeans": "k-means", "bisecting": "bisecting k-means", "mixture": "Gaussian mixture"}

TOLERANCE = 1e-4
"""How far a centre may still move in a step of k-means that is its last; Spark's own default."""


def fit_clusters(scaled: DataFrame, method: Method, k: int, seed: int, clusters: Clusters) -> Any:
    """One start of one clustering over ``scaled_features``."""
    # Spark refuses k = 1, and gives one centre for k = 2 where all points are one; its block solver fails there.
    settings: dict[str, Any] = {"k": max(k, 2), "maxIter": clusters.max_iterations, "seed": seed}
    estimator: Any = {
        "kmeans": lambda: KMeans(**settings, initSteps=clusters.init_steps).setSolver("row"),
        "bisecting": lambda: BisectingKMeans(**settings),
        "mixture": lambda: GaussianMixture(**settings),
    }[method]()
    return estimator.setFeaturesCol(SCALED).setPredictionCol(PREDICTION).fit(scaled)


def loss_of(model: Any) -> float:
    """What a start is judged by among starts of the same method and k: the lower, the better."""
    if isinstance(model, GaussianMixtureModel):
        return -float(model.summary.logLikelihood)
    return float(model.summary.trainingCost)


def centres_of(model: Any) -> list[list[float]]:
    """Each cluster's centre, in scaled features; a mixture's are its means. Also of a model that was loaded."""
    if isinstance(model, GaussianMixtureModel):
        return [[float(value) for value in row["mean"].toArray()] for row in model.gaussiansDF.collect()]
    return [[float(value) for value in np.asarray(centre)] for centre in model.clusterCenters()]


def squared_distance(model: Any, cluster: Column) -> Column:
    """Squared Euclidean distance of ``scaled_features`` to a cluster's centre; the centres are literals: no join, no UDF."""
    return _square_sum(_point(), F.element_at(F.array(*map(_vector, centres_of(model))), cluster + 1))


def sizes_and_cost(model: Any, scaled: DataFrame) -> tuple[tuple[int, ...], float]:
    """Rows per cluster, and the sum of the squared distances of all rows to the centres of their clusters."""
    centres = centres_of(model)
    distance = _square_sum(_point(), F.element_at(F.array(*map(_vector, centres)), F.col(PREDICTION) + 1))
    labelled = model.transform(scaled).groupBy(PREDICTION)
    found = sorted(labelled.agg(F.count(F.lit(1)).alias("rows"), F.sum(distance).alias("cost")).collect())
    rows = {row[PREDICTION]: row["rows"] for row in found}
    return tuple(rows.get(cluster, 0) for cluster in range(len(centres))), float(sum(row["cost"] for row in found))


def means_of(rows: DataFrame, cluster: Column, width: int) -> NDArray[np.float64]:
    """The mean of the ``width`` scaled features of each cluster that has rows, by the clusters' numbers."""
    points = rows.select(cluster.alias("cluster"), _point().alias("point"))
    mean = F.array(*[F.avg(F.col("point")[position]) for position in range(width)])
    found = sorted(points.groupBy("cluster").agg(mean.alias("mean")).collect())
    return np.array([row["mean"] for row in found])


def go_on_from(scaled: DataFrame, centres: NDArray[np.float64], clusters: Clusters) -> Any | None:
    """K-means over ``scaled_features`` that begins with these centres and keeps their numbers; None where one of them loses
    all its rows.

    Spark's k-means takes no centres to begin with. The steps are Lloyd's, one aggregation each, until no centre moves more
    than Spark's own tolerance; the model is then fitted to the centres alone, which are its clusters each.
    """
    for _ in range(clusters.max_iterations):
        moved = means_of(scaled, _nearest(centres), centres.shape[1])
        if len(moved) < len(centres):
            return None
        furthest = ((moved - centres) ** 2).sum(axis=1).max()
        centres = moved
        if furthest <= TOLERANCE**2:
            break
    found = _of_centres(scaled.sparkSession, centres, clusters.seed).clusterCenters()
    if len(found) < len(centres):
        return None  # two came to be one
    # Spark shuffles what it begins with, each time in the same way.
    shuffled = [int(((centres - one) ** 2).sum(axis=1).argmin()) for one in found]
    return _of_centres(scaled.sparkSession, centres[np.argsort(shuffled)], clusters.seed)


def _of_centres(spark: SparkSession, centres: NDArray[np.float64], seed: int) -> Any:
    points = spark.createDataFrame([(one,) for one in centres.tolist()], "centre array<double>")
    settings: dict[str, Any] = {"k": len(centres), "maxIter": 1, "seed": seed, "initMode": "random"}
    estimator = KMeans(**settings).setSolver("row").setFeaturesCol(SCALED).setPredictionCol(PREDICTION)
    return estimator.fit(points.select(array_to_vector(F.col("centre")).alias(SCALED)))


def _nearest(centres: NDArray[np.float64]) -> Column:
    distances = F.array(*[_square_sum(_point(), _vector(centre)) for centre in centres.tolist()])
    return F.array_position(distances, F.array_min(distances)) - 1


def _point() -> Column:
    return vector_to_array(F.col(SCALED))


def _vector(centre: Sequence[float]) -> Column:
    return F.array(*map(F.lit, centre))


def _square_sum(point: Column, centre: Column) -> Column:
    squares = F.zip_with(point, centre, lambda a, b: (a - b) * (a - b))
    return F.aggregate(squares, F.lit(0.0), lambda total, square: total + square)
