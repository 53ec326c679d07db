"""A tracking server instead of a file: the same calls, over HTTP, artifacts included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from models.assign import assign_segments
from models.features import segment_features
from models.fit import choose, fit_candidates
from models.registry import CHALLENGER, champion_version, close_stale_runs, load_champion, promote, roll_back, version_behind
from models.tracking import Tracking
from models.training_log import find_training, log_training
from tests.journeys.servers import tracking_server
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame
from tests.models.trained import segmentation_of, training

NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    import mlflow

    with tracking_server(tmp_path_factory.mktemp("tracking")) as address:
        yield Tracking(address, "lakehouse-c360", "c360_segments")
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


@pytest.mark.cluster
def test_a_model_is_logged_found_promoted_served_and_rolled_back(spark: SparkSession, tracking: Tracking, tmp_path: Path) -> None:
    config = default_config(clusters={"k": [6], "starts": 1, "finalists": 1, "resamples": 0})
    features = segment_features(rfm_frame(spark, cohort_rows()), AS_OF)
    candidates = fit_candidates(features, config)
    chosen, segmentation = choose(candidates), segmentation_of(features, choose(candidates), config)
    what = (candidates, chosen, segmentation, {}, str(tmp_path))
    assert champion_version(tracking) is None
    first = log_training(tracking, training(config), *what)
    assert (champion_version(tracking), version_behind(tracking, CHALLENGER)) == (None, first)
    promote(tracking, first)
    champion = load_champion(tracking, str(tmp_path))
    assert champion is not None
    assert champion.segmentation == segmentation
    trained = assign_segments(features, chosen.model, segmentation.names).orderBy("profile_id").collect()
    assert assign_segments(features, champion.model, champion.names).orderBy("profile_id").collect() == trained
    assert find_training(tracking, training(config)) == first
    second = log_training(tracking, training(config, "run-2", 4), *what)
    promote(tracking, second)
    assert roll_back(tracking) == (second, first)
    assert champion_version(tracking) == first
    assert close_stale_runs(tracking, "a-lake", NOW) == ()
