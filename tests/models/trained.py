"""A training from end to end, without storage: what a job does between reading customers and logging."""

from __future__ import annotations

from pyspark.sql import DataFrame

from conf.segments import SegmentsConfig
from models.assign import assign_clusters
from models.drift import fit_reference
from models.fit import Candidate
from models.naming import name_segments
from models.profiles import profile_clusters
from models.scores import fit_scores
from models.tracking import Segmentation, Training
from tests.models.cohorts import AS_OF


def segmentation_of(features: DataFrame, chosen: Candidate, config: SegmentsConfig) -> Segmentation:
    """All that serving needs beside the chosen model."""
    names = name_segments(profile_clusters(assign_clusters(features, chosen.model)), config)
    reference = fit_reference(features, {named.name: named.customers for named in names.clusters})
    scores = fit_scores(features, config.scores.levels)
    return Segmentation(names, scores, reference, config.definitions, chosen.silhouette)


def training(config: SegmentsConfig, run_id: str = "run-1", version: int = 3) -> Training:
    """What a training of that version of ``gold.rfm`` stood on."""
    return Training("a-lake", "its id", run_id, AS_OF, {"gold.rfm": version}, "0.1.0", config, {"python": "3.12"})
