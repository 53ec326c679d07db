"""Fits one clustering per declared k as a Spark ML pipeline, and chooses among them by silhouette."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import SQLTransformer, StandardScaler, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import StageError
from conf.segments import MEASURES, Feature, SegmentsConfig

ROWS_PER_PARTITION = 250_000
FITS_AT_A_TIME = 4
SCALED = "scaled_features"
PREDICTION = "prediction"
"""What MLflow expects a pipeline's last column to be called; elsewhere in the suite it is the cluster."""


@dataclass(frozen=True)
class Candidate:
    """One fitted clustering. ``silhouette`` (squared Euclidean, -1 to 1) is None where there is only one cluster.

    ``cost`` is the sum of squared distances to the centres in scaled features; ``sizes`` are customers per cluster.
    """

    k: int
    model: PipelineModel
    silhouette: float | None
    cost: float
    sizes: tuple[int, ...]


def fit_candidates(features: DataFrame, config: SegmentsConfig) -> tuple[Candidate, ...]:
    """Features (one row per profile) -> one candidate per k, in the order of k; caps, logs and scaling in its model.

    The same customers give the same candidates, in whatever order and partitions they come and whatever their ids are:
    rows are placed and sorted by their measures, and each partition draws from the seed. With one partition (up to
    250,000 customers) that holds to the last bit; with more, sums are added up in the order in which tasks end, so
    centres agree within rounding. Where customers differ in fewer ways than k, k is that smaller number; customers who
    are all alike make one cluster. Raises StageError without customers. ``features`` is read several times: hand over a
    table's rows, not a long computation.
    """
    prepare, columns = _preparation(config.features)
    customers, different = _count(prepare.transform(features), columns)
    if customers == 0:
        raise StageError("There is no customer with a purchase yet, so there is nothing to train segments on.")
    placed = features.repartition(-(-customers // ROWS_PER_PARTITION), *MEASURES).sortWithinPartitions(*MEASURES)
    steps = _fit_scaling(prepare, columns, placed)
    scaled = PipelineModel(stages=steps).transform(placed).select("profile_id", SCALED)
    numbers = [k for k in config.clusters.k if k <= different] or [different]
    fitted = _fit_all(scaled, numbers, config)
    return _without_empty_clusters([_candidate(steps, model, scaled) for model in fitted])


def choose(candidates: tuple[Candidate, ...]) -> Candidate:
    """The candidate with the best silhouette; of equal ones the smallest k."""
    return max(candidates, key=lambda one: (-2.0 if one.silhouette is None else one.silhouette, -one.k))


def _preparation(features: tuple[Feature, ...]) -> tuple[SQLTransformer, list[str]]:
    """Caps and logs as a stage of the pipeline, so that they are saved and loaded with it, and the columns it makes."""
    prepared = {f"prepared_{feature.name}": _prepare(feature) for feature in features}
    columns = ", ".join(f"{expression} AS {name}" for name, expression in prepared.items())
    return SQLTransformer(statement=f"SELECT *, {columns} FROM __THIS__"), list(prepared)


def _prepare(feature: Feature) -> str:
    value = feature.name if feature.cap is None else f"least({feature.name}, {feature.cap!r}D)"
    return f"ln(1D + greatest({value}, 0D))" if feature.transform == "log" else value


def _count(prepared: DataFrame, columns: list[str]) -> tuple[int, int]:
    """How many customers there are, and in how many different ways they look to the clustering."""
    ways = F.count_distinct(F.struct(*columns))
    row = prepared.agg(F.count(F.lit(1)).alias("customers"), ways.alias("different")).collect()[0]
    return row["customers"], row["different"]


def _fit_scaling(prepare: SQLTransformer, columns: list[str], placed: DataFrame) -> list[Transformer]:
    """The stages before the clustering; a feature that is the same for everybody is scaled to 0."""
    assemble = VectorAssembler(inputCols=columns, outputCol="prepared_features")
    scaler = StandardScaler(inputCol="prepared_features", outputCol=SCALED, withMean=True, withStd=True)
    return [prepare, assemble, scaler.fit(assemble.transform(prepare.transform(placed)))]


def _fit_all(scaled: DataFrame, numbers: list[int], config: SegmentsConfig) -> list[KMeansModel]:
    """For each k the start with the least cost. Fits run side by side: each is many short jobs, one after another."""
    starts = range(config.clusters.starts)

    def fit(k: int, start: int) -> KMeansModel:
        # Spark refuses k = 1, and gives one centre for k = 2 where all points are one; its block solver fails there.
        kmeans = KMeans(k=max(k, 2), maxIter=config.clusters.max_iterations, seed=config.clusters.seed + start)
        return kmeans.setSolver("row").setFeaturesCol(SCALED).setPredictionCol(PREDICTION).fit(scaled)

    tries = [(k, start) for k in numbers for start in starts]
    with ThreadPoolExecutor(FITS_AT_A_TIME) as pool:
        fitted = dict(zip(tries, pool.map(lambda one: fit(*one), tries), strict=True))
    # What a model says of itself is asked in this thread: on Spark Connect other threads have no active session.
    costs = {one: float(model.summary.trainingCost) for one, model in fitted.items()}
    return [fitted[k, min(starts, key=lambda start: costs[k, start])] for k in numbers]


def _candidate(steps: list[Transformer], model: KMeansModel, scaled: DataFrame) -> Candidate:
    centres = len(model.clusterCenters())  # fewer than asked for where there are fewer different points
    sizes = tuple(int(size) for size in model.summary.clusterSizes[:centres])
    evaluator = ClusteringEvaluator(featuresCol=SCALED, predictionCol=PREDICTION)
    silhouette = evaluator.evaluate(model.transform(scaled)) if sum(size > 0 for size in sizes) > 1 else None
    pipeline = PipelineModel(stages=[*steps, model])
    return Candidate(len(sizes), pipeline, silhouette, float(model.summary.trainingCost), sizes)


def _without_empty_clusters(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """A cluster without customers could not be described, and whoever came into it later would have no name."""
    full = tuple(candidate for candidate in candidates if all(candidate.sizes))
    if not full:
        tried = ", ".join(str(candidate.k) for candidate in candidates)
        raise StageError(f"Every clustering tried (k = {tried}) left a cluster empty; declare fewer clusters.")
    return full
