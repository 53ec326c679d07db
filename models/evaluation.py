"""How good a clustering is: how well its clusters are told apart, and how alike it comes out of other customers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from models.methods import PREDICTION
from models.preparation import SCALED


def silhouette_of(labelled: DataFrame, share: float = 1.0, seed: int = 0) -> float:
    """Mean silhouette (squared Euclidean) of rows with ``scaled_features`` and ``prediction``, of which there are two or more.

    ``share`` is which part of the rows, drawn by the seed, it is measured on.
    """
    seen = labelled if share >= 1.0 else labelled.sample(withReplacement=False, fraction=share, seed=seed)
    return float(ClusteringEvaluator(featuresCol=SCALED, predictionCol=PREDICTION).evaluate(seen))


def adjusted_rand_index(table: NDArray[np.int64]) -> float:
    """Agreement of two clusterings, from how many customers each pair of clusters shares: 1 the same, 0 as by chance.

    Hubert and Arabie, "Comparing partitions", Journal of Classification 2 (1985). Two clusterings that put all customers
    into one cluster, or each into one of its own, agree.
    """

    def pairs(counts: NDArray[np.int64]) -> float:
        exact = counts.astype(float)
        return float((exact * (exact - 1)).sum() / 2)

    rows, columns, everything = pairs(table.sum(axis=1)), pairs(table.sum(axis=0)), pairs(table.sum(keepdims=True))
    by_chance = rows * columns / everything if everything else 0.0
    most = (rows + columns) / 2
    return 1.0 if most == by_chance else (pairs(table) - by_chance) / (most - by_chance)


def shared_customers(labels: DataFrame, one: str, other: str) -> NDArray[np.int64]:
    """Rows with two cluster columns -> how many rows each pair of clusters shares (one's clusters down, other's across)."""
    found = labels.groupBy(one, other).agg(F.count(F.lit(1)).alias("customers")).collect()
    shape = [1 + max((row[name] for row in found), default=-1) for name in (one, other)]
    table = np.zeros(shape, dtype=np.int64)
    for row in found:
        table[row[one], row[other]] = row["customers"]
    return table


def resample(scaled: DataFrame, seed: int) -> DataFrame:
    """As many customers, drawn with replacement: what another period might have brought."""
    return scaled.sample(withReplacement=True, fraction=1.0, seed=seed)


def stability_of(model: Any, others: list[Any], scaled: DataFrame) -> float:
    """The mean agreement of a model with others of its kind that were trained on resamples, over all customers."""
    labelled = _labelled(model, scaled, "cluster")
    agreements = [
        adjusted_rand_index(shared_customers(_labelled(other, labelled, "other"), "cluster", "other")) for other in others
    ]
    return float(np.mean(agreements))


def _labelled(model: Any, rows: DataFrame, name: str) -> DataFrame:
    kept = rows.columns
    return model.transform(rows).select(*kept, F.col(PREDICTION).alias(name))
