"""Serving: which segment every customer is in, by a fitted model and its names."""

from __future__ import annotations

from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeansModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import MEASURES
from models.fit import PREDICTION, SCALED
from models.naming import SegmentNames
from models.profiles import CLUSTER


def assign_clusters(features: DataFrame, model: PipelineModel) -> DataFrame:
    """Features (one row per profile) -> the same rows with ``cluster``; nothing but the model decides."""
    return model.transform(features).select("profile_id", *MEASURES, SCALED, F.col(PREDICTION).alias(CLUSTER))


def assign_segments(features: DataFrame, model: PipelineModel, names: SegmentNames) -> DataFrame:
    """Features (one row per profile) -> profile_id, segment, cluster (int), distance to its centre (double, scaled)."""
    clusters = assign_clusters(features, model)
    return clusters.select("profile_id", _name(names).alias("segment"), CLUSTER, _distance(model).alias("distance"))


def _name(names: SegmentNames) -> Column:
    pairs = [F.lit(value) for named in names.clusters for value in (named.cluster, named.name)]
    return F.element_at(F.create_map(*pairs), F.col(CLUSTER))


def _distance(model: PipelineModel) -> Column:
    """Euclidean distance to the assigned centre; the centres are literals, so no join and no UDF."""
    kmeans = model.stages[-1]
    assert isinstance(kmeans, KMeansModel)
    centres = F.array(*[F.array(*[F.lit(float(value)) for value in centre]) for centre in kmeans.clusterCenters()])
    centre = F.element_at(centres, F.col(CLUSTER) + 1)
    squares = F.zip_with(vector_to_array(F.col(SCALED)), centre, lambda a, b: (a - b) * (a - b))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, square: total + square))
