"""What the stability figures rest on: the same customers, the same day, two models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from benchmarks import segments_stability
from benchmarks.segments_training import first_set_with

SMALL = segments_stability.CLUSTERS.model_copy(update={"k": (3,), "starts": 1})


def test_a_name_that_is_another_counts_its_customers_and_a_number_that_stays_none(spark: SparkSession, tmp_path: Path) -> None:
    config = first_set_with(SMALL)
    features = segments_stability._features(segments_stability._activity(60, tmp_path), 300, config, tmp_path)
    model = segments_stability._train(features, config, None)
    clusters = model.names.clusters
    renamed = tuple(replace(one, name="Another") if one.cluster == 0 else one for one in clusters)
    names = replace(model.names, clusters=renamed)
    other = replace(model, segmentation=replace(model.segmentation, names=names))
    (share,) = (100 * one.customers / sum(each.customers for each in clusters) for one in clusters if one.cluster == 0)
    assert segments_stability._changed(features, model, model) == (0, 0)
    assert segments_stability._changed(features, model, other) == (pytest.approx(share), 0)
    assert 0 < share < 100


@pytest.fixture(scope="module")
def report(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segments_stability, "SIZES", {"s": (60, 1)})
        patched.setattr(segments_stability, "RESAMPLES", 1)
        patched.setattr(segments_stability, "CLUSTERS", SMALL)
        return segments_stability.measure("s", Path(tmp_path_factory.mktemp("stability")))


def test_names_and_numbers_are_measured_both_ways(report: dict[str, Any]) -> None:
    assert report["work"] == {"households": 60, "k": 3, "resamples": 1, "days": 1}
    for what in ("resampled", "daily"):
        assert list(report[what]) == ["names", "cluster numbers"]
        assert all(0 <= value <= 100 for figures in report[what].values() for value in figures.values())
    assert "daily      cluster numbers" in segments_stability.report_lines({"size": "s", **report})
