"""Clusters of many customers, from their measures to fitted centres: the training's own code against scikit-learn.

Both cap, log and scale the same features of the sample's configuration, and fit k-means with the same k, starts and most
iterations. What must agree is the inertia, the sum of squared distances to the centres, within 1%: neither finds the best
centres for certain. Ours also ranks what it fitted by silhouette, which the other does not.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.contending import CORES, DRIVER_MEMORY, contender, local_session, part, run
from benchmarks.harness import Comparison
from conf.project import load_project
from conf.segments import Clusters, Feature

if TYPE_CHECKING:
    from conf.segments import SegmentsConfig

NAME = "segments-training"
SIZES = {"s": 20_000, "m": 200_000, "l": 1_000_000}
"""Customers."""
SEED = 20170101
CLUSTERS = Clusters(methods=("kmeans",), k=(6,), seed=SEED, starts=3, finalists=1, resamples=0)
TOLERANCE = 0.01
DAYS_A_WEEK, LONGEST_WEEKS = 7, 52


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and scikit-learn over the customers of a size, which are drawn into ``cache`` once."""
    data = (cache / f"customers-{size}").resolve()
    if not (data / "customers.parquet").is_file():
        data.mkdir(parents=True, exist_ok=True)
        pq.write_table(draw_customers(SIZES[size]), data / "drawing")
        (data / "drawing").rename(data / "customers.parquet")
    declared = {name: getattr(CLUSTERS, name) for name in ("k", "starts", "max_iterations", "seed")}
    work = {"customers": SIZES[size], **declared, "cores": CORES, "driver_memory": DRIVER_MEMORY}
    contenders = tuple(contender(__name__, name, data, inertia_of) for name in RUNNERS)
    return Comparison(NAME, size, work, "inertia", contenders, agree)


def inertia_of(folder: Path) -> float:
    """What a contender left in its folder."""
    return float(json.loads((folder / "inertia").read_text()))


def agree(one: float, other: float) -> bool:
    """Whether two inertias are the same within 1%; a fit that came to no number agrees with none."""
    return math.isfinite(one) and math.isclose(one, other, rel_tol=TOLERANCE)


def draw_customers(number: int) -> pa.Table:
    """Customers with a habit each, who bought as often as it brings in the weeks that they were active, and have been away
    since; in the columns of ``models.features.segment_features``.
    """
    chance = np.random.default_rng(SEED)
    habit = chance.lognormal(-0.7, 0.9, number)  # purchases a week
    active = chance.uniform(4, LONGEST_WEEKS, number)
    later = chance.poisson(habit * active)
    recency = np.floor(np.minimum(chance.exponential(DAYS_A_WEEK / habit), DAYS_A_WEEK * LONGEST_WEEKS))
    rate = later / active
    columns = {
        "recency": recency,
        "frequency": later + 1.0,
        "monetary": np.round((later + 1) * chance.lognormal(3, 0.7, number), 2),
        "purchase_rate": rate,
        "missed_purchases": recency / DAYS_A_WEEK * rate,
        "tenure": recency + np.floor(DAYS_A_WEEK * active),
    }
    return pa.table({"profile_id": np.char.mod("customer-%d", np.arange(number)), **columns})


def first_set_with(clusters: Clusters) -> SegmentsConfig:
    """The sample's configuration with its first feature set alone, clustered as asked for."""
    declared = load_project().segments
    features = next(iter(declared.sets.values()))
    return declared.model_copy(update={"features": features, "feature_sets": {}, "clusters": clusters})


def train_ours(data: Path, target: Path) -> None:
    """The training's fit: preparation, starts, silhouette, and the best start."""
    from models.fit import choose, fit_candidates

    with part("session"):
        spark = local_session()
    with part("fit"):
        chosen = choose(fit_candidates(spark.read.parquet(str(data / "customers.parquet")), first_set_with(CLUSTERS)))
    (target / "inertia").write_text(json.dumps(chosen.cost))


def train_with_scikit_learn(data: Path, target: Path) -> None:
    """The same features as an array, and its k-means."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with part("fit"), threadpool_limits(CORES):
        features = next(iter(first_set_with(CLUSTERS).sets.values()))
        columns = pq.read_table(data / "customers.parquet", columns=[feature.name for feature in features])
        prepared = np.column_stack([_prepared(columns[feature.name].to_numpy(), feature) for feature in features])
        scaled = (prepared - prepared.mean(axis=0)) / prepared.std(axis=0, ddof=1)
        settings = {"n_init": CLUSTERS.starts, "max_iter": CLUSTERS.max_iterations, "random_state": SEED}
        model = KMeans(CLUSTERS.k[0], **settings).fit(scaled)
    (target / "inertia").write_text(json.dumps(float(model.inertia_)))


def _prepared(values: NDArray[np.float64], feature: Feature) -> NDArray[np.float64]:
    if isinstance(feature.cap, float):
        values = np.minimum(values, feature.cap)
    assert feature.transform in ("none", "log"), f"{feature.name} is neither taken as it is nor as a logarithm"
    return np.log1p(np.maximum(values, 0)) if feature.transform == "log" else values


RUNNERS = {"ours": train_ours, "scikit-learn": train_with_scikit_learn}


if __name__ == "__main__":
    run(RUNNERS)
