"""What the stability figures rest on: the same customers, the same day, two models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from benchmarks import segments_stability


@pytest.fixture(scope="module")
def report(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segments_stability, "SIZES", {"s": (60, 1)})
        patched.setattr(segments_stability, "RESAMPLES", 1)
        small = segments_stability.CLUSTERS.model_copy(update={"k": (3,), "starts": 1})
        patched.setattr(segments_stability, "CLUSTERS", small)
        return segments_stability.measure("s", Path(tmp_path_factory.mktemp("stability")))


def test_names_and_numbers_are_measured_both_ways(report: dict[str, Any]) -> None:
    assert report["work"] == {"households": 60, "k": 3, "resamples": 1, "days": 1}
    for what in ("resampled", "daily"):
        assert list(report[what]) == ["names", "cluster numbers"]
        assert all(0 <= value <= 100 for figures in report[what].values() for value in figures.values())
    assert "daily      cluster numbers" in segments_stability.report_lines({"size": "s", **report})
