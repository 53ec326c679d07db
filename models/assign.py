"""Serving: which segment every customer is in, by a fitted model and its names."""

from __future__ import annotations

from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.segments import MEASURES
from models.methods import PREDICTION, squared_distance
from models.naming import SegmentNames
from models.preparation import SCALED
from models.profiles import CLUSTER


def assign_clusters(features: DataFrame, model: PipelineModel) -> DataFrame:
    """Features (one row per profile) -> the same rows with ``cluster``; nothing but the model decides."""
    return model.transform(features).select("profile_id", *MEASURES, SCALED, F.col(PREDICTION).alias(CLUSTER))


def assign_segments(features: DataFrame, model: PipelineModel, names: SegmentNames) -> DataFrame:
    """Features (one row per profile) -> profile_id, segment, cluster (int), distance to its centre (double, scaled)."""
    clusters = assign_clusters(features, model)
    distance = F.sqrt(squared_distance(model.stages[-1], F.col(CLUSTER)))
    return clusters.select("profile_id", _name(names).alias("segment"), CLUSTER, distance.alias("distance"))


def _name(names: SegmentNames) -> Column:
    pairs = [F.lit(value) for named in names.clusters for value in (named.cluster, named.name)]
    return F.element_at(F.create_map(*pairs), F.col(CLUSTER))
