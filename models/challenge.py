"""A new model beside the champion, on the same customers: what both share, and which names carry over."""

from __future__ import annotations

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.segments import MEASURES, Clusters
from models.assign import assign_clusters
from models.evaluation import adjusted_rand_index, shared_customers, silhouette_of
from models.gate import Former, Standing
from models.matching import match_clusters
from models.methods import PREDICTION
from models.naming import ClusterProfile, FormerName
from models.profiles import CLUSTER, profile_clusters
from models.tracking import Served


def face_champion(
    features: DataFrame, model: PipelineModel, profiles: tuple[ClusterProfile, ...], champion: Served, clusters: Clusters
) -> tuple[Former, dict[int, FormerName]]:
    """Features (one row per profile), a new model and its clusters -> the champion on the same customers, and the name
    that each matched cluster has there.
    """
    of_champion = assign_clusters(features, champion.model)
    kept = of_champion.select("profile_id", *MEASURES, F.col(CLUSTER).alias("of_champion"))
    shared = shared_customers(model.transform(kept).select("of_champion", PREDICTION), "of_champion", PREDICTION)
    share = min(1.0, clusters.silhouette_rows / max(int(shared.sum()), 1))
    has_many = int((shared.sum(axis=1) > 0).sum()) > 1
    labelled = of_champion.withColumnRenamed(CLUSTER, PREDICTION)
    silhouette = silhouette_of(labelled, share, clusters.seed) if has_many else None
    former = Former(
        standing=Standing(champion.version, silhouette, champion.names),
        agreement=adjusted_rand_index(shared),
        profiles=profile_clusters(of_champion),
    )
    matches = match_clusters(shared, former.profiles, profiles)
    names = {new: FormerName(champion.names.name_of(old), champion.version, part) for new, (old, part) in matches.items()}
    return former, names
