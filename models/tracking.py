"""What a training says of itself, and what serving gets back from it: plain values, without MLflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.segments import SegmentsConfig

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel

    from models.drift import Reference
    from models.naming import SegmentNames
    from models.scores import ScoreCuts


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
    """What a training stood on. ``lake`` names the lake among those that share an experiment; ``lake_id`` is another one where
    it was dropped and built again, whose versions begin anew.

    ``environment`` says on which versions of Python and packages it ran; ``beginning`` is the version from whose clusters it may
    go on, '' without one.
    """

    lake: str
    lake_id: str
    run_id: str
    as_of: datetime
    input_versions: Mapping[str, int]
    code_version: str
    config: SegmentsConfig
    environment: Mapping[str, str]
    beginning: str = ""

    @property
    def key(self) -> str:
        """Equal for trainings of the same data, day, configuration and code; with the same beginning, too, they must come to
        the same model.
        """
        declared = self.config.model_dump(mode="json", exclude={"gate", "drift"})
        stood_on = [self.lake, self.lake_id, dict(self.input_versions), f"{self.as_of:%Y-%m-%d}"]
        parts = [*stood_on, self.code_version, declared]
        return hashlib.md5(json.dumps(parts, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Segmentation:
    """All that serving needs beside the pipeline: names, score cuts, what drift is measured against, and ``definitions``,
    what the measures meant when it was trained. ``silhouette`` is that of the training; None with one cluster only.
    """

    names: SegmentNames
    scores: ScoreCuts
    reference: Reference
    definitions: Mapping[str, Any]
    silhouette: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` reads them back."""
        parts = {"scores": self.scores.to_dict(), "reference": self.reference.to_dict()}
        return {
            **self.names.to_dict(),
            **parts,
            "definitions": dict(self.definitions),
            "silhouette": self.silhouette,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Segmentation:
        """A segmentation as :meth:`to_dict` wrote it."""
        from models.drift import Reference
        from models.naming import SegmentNames
        from models.scores import ScoreCuts

        return cls(
            names=SegmentNames.from_dict(value),
            scores=ScoreCuts.from_dict(value["scores"]),
            reference=Reference.from_dict(value["reference"]),
            definitions=value["definitions"],
            silhouette=value["silhouette"],
        )


@dataclass(frozen=True)
class Served:
    """A registered model, loaded: the champion, or a challenger on its way."""

    version: str
    mlflow_run_id: str
    model: PipelineModel
    segmentation: Segmentation
    tags: Mapping[str, str]

    @property
    def names(self) -> SegmentNames:
        """Its clusters' names."""
        return self.segmentation.names

    @property
    def definitions(self) -> Mapping[str, Any]:
        """What the measures meant when it was trained."""
        return self.segmentation.definitions
