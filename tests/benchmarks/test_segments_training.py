from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks.segments_training import Inertia, draw_customers, inertia_of, train_ours, train_with_scikit_learn


@pytest.mark.parametrize(("other", "is_equal"), [(100.0, True), (100.9, True), (99.1, True), (101.2, False), (98.8, False)])
def test_an_inertia_is_another_one_within_a_hundredth(other: float, is_equal: bool) -> None:
    assert (Inertia(100) == Inertia(other)) is is_equal
    assert (Inertia(100) != Inertia(other)) is not is_equal


def test_customers_are_drawn_the_same_each_time_with_measures_that_go_together() -> None:
    customers = draw_customers(500).to_pandas()
    assert draw_customers(500).equals(draw_customers(500))
    assert (customers["frequency"] >= 1).all()
    assert (customers["tenure"] >= customers["recency"]).all()
    assert customers["missed_purchases"].to_numpy() == pytest.approx(customers["recency"] / 7 * customers["purchase_rate"])
    assert customers["recency"].nunique() > 50


def test_both_come_to_the_same_inertia(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(draw_customers(2_000), tmp_path / "customers.parquet")
    found = []
    for way in (train_ours, train_with_scikit_learn):
        way(tmp_path, tmp_path)
        found.append(inertia_of(tmp_path))
    assert found[0] == found[1]
    assert 0 < found[0] < 2_000 * 5
