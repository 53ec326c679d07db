from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks import segments_training
from benchmarks.segments_training import agree, draw_customers, inertia_of, train_ours, train_with_scikit_learn


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        (100.0, 100.0, True),
        (100.0, 100.9, True),
        (100.0, 99.1, True),
        (100.0, 101.2, False),
        (100.0, 98.8, False),
        (100.0, math.inf, False),
        (math.inf, math.inf, False),
        (math.nan, math.nan, False),
    ],
)
def test_inertias_agree_within_a_hundredth_and_what_is_no_number_with_none(one: float, other: float, do: bool) -> None:
    assert agree(one, other) is agree(other, one) is do


def test_customers_are_drawn_the_same_each_time_with_measures_that_go_together() -> None:
    customers = draw_customers(500).to_pandas()
    assert draw_customers(500).equals(draw_customers(500))
    assert (customers["frequency"] >= 1).all()
    assert (customers["tenure"] >= customers["recency"]).all()
    assert customers["missed_purchases"].to_numpy() == pytest.approx(customers["recency"] / 7 * customers["purchase_rate"])
    assert customers["recency"].nunique() > 50


def test_both_come_to_the_same_inertia(spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(segments_training, "local_session", lambda: spark)  # its own would leave its settings behind
    pq.write_table(draw_customers(2_000), tmp_path / "customers.parquet")
    found = []
    for way in (train_ours, train_with_scikit_learn):
        way(tmp_path, tmp_path)
        found.append(inertia_of(tmp_path))
    assert agree(*found)
    assert 0 < found[0] < 2_000 * 5
