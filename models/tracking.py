"""What a training says of itself, and what serving gets back: plain values, without MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.segments import SegmentsConfig

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

    from models.naming import SegmentNames


@dataclass(frozen=True)
class Tracking:
    """Where MLflow is. ``tracking_uri`` is ``sqlite:////absolute/path``, a server, or ``databricks``.

    ``registry_uri`` is given where the models are registered elsewhere (``databricks-uc``, with ``model_name`` in three
    parts).
    """

    tracking_uri: str
    experiment: str
    model_name: str
    registry_uri: str | None = None


@dataclass(frozen=True)
class Training:
    """What a training stood on. ``lake`` names the lake among those that share an experiment."""

    lake: str
    run_id: str
    as_of: datetime
    input_versions: Mapping[str, int]
    code_version: str
    config: SegmentsConfig


@dataclass(frozen=True)
class Champion:
    """The model that serves. ``definitions`` are what the measures meant when it was trained."""

    version: str
    mlflow_run_id: str
    model: PipelineModel
    names: SegmentNames
    definitions: Mapping[str, Any]
