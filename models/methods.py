"""The ways to cluster: what each is called in Spark, how well a start went, and where a cluster's centre is."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, GaussianMixtureModel, KMeans
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import Clusters, Method
from models.preparation import SCALED

PREDICTION = "prediction"
"""What MLflow expects a pipeline's last column to be called; elsewhere in the suite it is the cluster."""

SPOKEN: dict[Method, str] = {"kmeans": "k-means", "bisecting": "bisecting k-means", "mixture": "Gaussian mixture"}


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
    centres = F.array(*[F.array(*map(F.lit, centre)) for centre in centres_of(model)])
    centre = F.element_at(centres, cluster + 1)
    squares = F.zip_with(vector_to_array(F.col(SCALED)), centre, lambda a, b: (a - b) * (a - b))
    return F.aggregate(squares, F.lit(0.0), lambda total, square: total + square)


def cost_of(model: Any, scaled: DataFrame) -> float:
    """The sum of squared distances of all rows to the centres of their clusters."""
    if isinstance(model, GaussianMixtureModel):
        distances = model.transform(scaled).select(squared_distance(model, F.col(PREDICTION)).alias("distance"))
        return float(distances.agg(F.sum("distance")).collect()[0][0])
    return float(model.summary.trainingCost)
