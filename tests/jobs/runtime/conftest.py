from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.lake import Lake
from jobs.runtime.merge import merge
from tests.jobs.runtime.people import ANN, BOB, EVE, TABLE, counts, people


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """A lake with Ann and Bob in Bonn, and Eve in Köln."""
    lake = Lake(str(tmp_path))
    assert merge(spark, lake, TABLE, people(spark, ANN, BOB, EVE)) == counts(inserted=3)
    return lake
