from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from models.evaluation import adjusted_rand_index, shared_customers


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[2, 0], [0, 2]], 1.0),
        ([[0, 2], [2, 0]], 1.0),  # other numbers for the same clusters
        ([[2, 0, 0], [0, 1, 1]], 4 / 7),
        ([[1, 1], [1, 1]], -0.5),
        ([[5]], 1.0),
        ([[1, 0], [0, 1]], 1.0),
        ([[0]], 1.0),
    ],
)
def test_agreement_is_the_adjusted_rand_index(table: list[list[int]], expected: float) -> None:
    assert adjusted_rand_index(np.array(table)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40), st.permutations(range(4)))
def test_neither_side_nor_numbers_matter_to_agreement(labels: list[tuple[int, int]], numbers: list[int]) -> None:
    table = np.zeros((4, 4), dtype=np.int64)
    for one, other in labels:
        table[one, other] += 1
    agreement = adjusted_rand_index(table)
    assert agreement <= 1
    assert adjusted_rand_index(table.T) == pytest.approx(agreement)
    assert adjusted_rand_index(table[numbers]) == pytest.approx(agreement)


def test_customers_are_counted_by_pair_of_clusters(spark: SparkSession) -> None:
    labels = spark.createDataFrame([(0, 1), (0, 1), (2, 0)], "one int, other int")
    assert shared_customers(labels, "one", "other").tolist() == [[0, 2], [0, 0], [1, 0]]
