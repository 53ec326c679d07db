"""Fits one clustering per declared method, feature set and k as a Spark ML pipeline, and chooses among them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import StageError
from conf.segments import MEASURES, Clusters, Feature, Method, SegmentsConfig
from models.assign import assign_clusters
from models.evaluation import resample, silhouette_of, stability_of
from models.methods import SPOKEN, fit_clusters, go_on_from, loss_of, means_of, sizes_and_cost
from models.preparation import SCALED, Preparation, fit_preparation
from models.profiles import CLUSTER

ROWS_PER_PARTITION = 250_000
ROWS_FOR_CONSTANTS = 50
FITS_AT_A_TIME = 4
EMPTY = "it leaves a cluster empty"


@dataclass(frozen=True)
class Candidate:
    """One fitted clustering. ``silhouette`` (squared Euclidean, -1 to 1) is None where there is only one cluster.

    ``cost`` is the sum of squared distances to the centres in scaled features; ``sizes`` are customers per cluster.
    ``stability`` is the mean adjusted Rand index with models trained on resamples, of finalists only. ``refused`` says
    why it was not among those to choose from; ``shortfalls`` where its features have fewer levels than asked for.
    ``slack`` is None where it began anew; where it goes on from the champion's clusters, by how much it may be worse.
    """

    method: Method
    feature_set: str
    k: int
    model: PipelineModel
    silhouette: float | None
    cost: float
    sizes: tuple[int, ...]
    stability: float | None = None
    refused: str | None = None
    shortfalls: tuple[str, ...] = ()
    slack: float | None = None

    @property
    def label(self) -> str:
        """What it is called in MLflow and in messages."""
        return f"{SPOKEN[self.method]}, k = {self.k}, {self.feature_set}"

    @property
    def score(self) -> float:
        """By which finalists are compared: how well its clusters are told apart, times how surely they are found again."""
        if self.silhouette is None:
            return -2.0
        return self.silhouette if self.stability is None or self.silhouette < 0 else self.silhouette * self.stability


@dataclass(frozen=True)
class _Space:
    """One feature set's scaled features of all customers, and in how many ways customers differ there."""

    name: str
    preparation: Preparation
    scaled: DataFrame
    ways: int


@dataclass(frozen=True, eq=False)
class _Try:
    """One fit: what is clustered how. ``resampled`` is the seed of a resample; None for all customers."""

    space: _Space
    method: Method
    k: int
    seed: int
    resampled: int | None = None


def fit_candidates(features: DataFrame, config: SegmentsConfig, champion: PipelineModel | None = None) -> tuple[Candidate, ...]:
    """Features (one row per profile) -> the candidates, in the declared order; caps, logs and scaling in their models.

    The same customers give the same candidates, in whatever order and partitions they come and whatever their ids are:
    rows are placed and sorted by their measures, and each partition draws from the seed. With one partition (up to
    250,000 customers) that holds to the last bit; with more, sums are added up in the order in which tasks end, so
    centres agree within rounding. Where customers differ in fewer ways than k, k is that smaller number; customers who
    are all alike make one cluster. A mixture that cannot be fitted is no candidate. Raises StageError without customers,
    and where every clustering leaves a cluster empty. ``features`` is read several times: hand over a table's rows, not a
    long computation.

    With a ``champion``, finalists of k-means also start where it puts these customers: where many optima are about equally
    good, the one nearest to what serves now is taken, so that customers who did not change stay where they are. It must be
    nearly as good as the best new start, so a bad one is not inherited.
    """
    customers = features.count()
    if customers == 0:
        raise StageError("There is no customer with a purchase yet, so there is nothing to train segments on.")
    placed = features.repartition(-(-customers // ROWS_PER_PARTITION), *MEASURES).sortWithinPartitions(*MEASURES)
    spaces = [_space(name, chosen, placed) for name, chosen in config.sets.items()]
    tries = [_Try(space, method, k, config.clusters.seed) for space in spaces for method, k in _shapes(space, config.clusters)]
    share = min(1.0, config.clusters.silhouette_rows / customers)
    mixtures = [one for one in tries if one.method == "mixture"]
    if len(mixtures) > 1:  # a single one finds them itself, before there are others
        _find_machine_constants(mixtures[0], config.clusters)
    fitted = [(one, model) for one, model in zip(tries, _fit_all(tries, config.clusters), strict=True) if model is not None]
    candidates = [_candidate(one, model, share, config.clusters) for one, model in fitted]
    if all(candidate.refused == EMPTY for candidate in candidates):
        tried = "; ".join(candidate.label for candidate in candidates) or "none could be fitted"
        raise StageError(f"Every clustering tried ({tried}) left a cluster empty; declare fewer clusters.")
    known = None if champion is None else assign_clusters(placed, champion).select("profile_id", *MEASURES, CLUSTER)
    return tuple(_refine_finalists(candidates, [one for one, _ in fitted], share, config.clusters, known))


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The finalist with the best product of silhouette and stability; of equal ones the first declared. One that goes on from
    the champion is preferred within its slack.
    """
    best = max(_finalists(candidates, len(candidates)), key=_rank)
    steady = [one for one in candidates if one.slack is not None and one.score >= best.score - one.slack * abs(best.score)]
    return max(steady, key=_rank, default=best)


def _rank(one: Candidate) -> tuple[bool, float]:
    return one.stability is not None, one.score


def _space(name: str, features: Sequence[Feature], placed: DataFrame) -> _Space:
    preparation = fit_preparation(features, placed)
    scaled = preparation.transform(placed).select("profile_id", SCALED)
    return _Space(name, preparation, scaled, preparation.count_ways(placed))


def _shapes(space: _Space, clusters: Clusters) -> list[tuple[Method, int]]:
    """Method and k of each candidate in a space. Where customers are all alike, only k-means can say so."""
    numbers = [k for k in clusters.k if k <= space.ways] or [space.ways]
    methods: Sequence[Method] = clusters.methods if space.ways > 1 else ("kmeans",)
    return [(method, k) for method in methods for k in numbers]


def _fit_all(tries: Sequence[_Try], clusters: Clusters) -> list[Any]:
    """A model for each try, None where a mixture has none. Side by side: each is many short jobs, one after another."""

    def fit(one: _Try) -> Any:
        rows = one.space.scaled if one.resampled is None else resample(one.space.scaled, one.resampled)
        try:
            return fit_clusters(rows, one.method, one.k, one.seed, clusters)
        except Exception:
            if one.method != "mixture":  # a covariance without an inverse: customers who are too much alike
                raise
            return None

    with ThreadPoolExecutor(FITS_AT_A_TIME) as pool:
        return list(pool.map(fit, tries))


def _find_machine_constants(one: _Try, clusters: Clusters) -> None:
    """Fits a mixture to a few customers, alone. The LAPACK that comes with Spark finds the machine's constants at first use
    and keeps them in static fields; threads that come meanwhile read zeros: their eigenvalues are wrong, or never found.
    """
    few = one.space.scaled.limit(ROWS_FOR_CONSTANTS)
    with suppress(Exception):  # they may be too much alike for a mixture; the constants are found before that is seen
        fit_clusters(few, "mixture", 2, one.seed, clusters.model_copy(update={"max_iterations": 1}))


def _candidate(one: _Try, model: Any, share: float, clusters: Clusters) -> Candidate:
    # Asked in this thread: on Spark Connect other threads have no active session.
    scaled = one.space.scaled
    sizes, cost = sizes_and_cost(model, scaled)  # fewer than k where there are fewer points
    has_many = sum(size > 0 for size in sizes) > 1
    silhouette = silhouette_of(model.transform(scaled), share, clusters.seed) if has_many else None
    return Candidate(
        method=one.method,
        feature_set=one.space.name,
        k=len(sizes),
        model=PipelineModel(stages=[*one.space.preparation.stages, model]),
        silhouette=silhouette,
        cost=cost,
        sizes=sizes,
        refused=_refusal(sizes, clusters.smallest_share),
        shortfalls=tuple(text for feature in one.space.preparation.features if (text := feature.shortfall)),
    )


def _refusal(sizes: Sequence[int], smallest_share: float) -> str | None:
    """A cluster without customers could not be described, and whoever came into it later would have no name."""
    if not all(sizes):
        return EMPTY
    share = min(sizes) / sum(sizes)
    return f"its smallest cluster is {share:.2%} of the customers" if share < smallest_share else None


def _finalists(candidates: Sequence[Candidate], number: int) -> list[Candidate]:
    """The best by silhouette among those not refused; where all are, among those without an empty cluster."""
    full = [candidate for candidate in candidates if candidate.refused is None]
    full = full or [candidate for candidate in candidates if candidate.refused != EMPTY]
    return sorted(full, key=lambda one: -2.0 if one.silhouette is None else one.silhouette, reverse=True)[:number]


def _refine_finalists(
    candidates: Sequence[Candidate], tries: Sequence[_Try], share: float, clusters: Clusters, known: DataFrame | None
) -> list[Candidate]:
    """The best few get their other starts, the best of which is kept, and are trained again on resamples.

    ``known`` are the customers with the champion's clusters, where there is a champion: one start more.
    """
    best = {id(candidate) for candidate in _finalists(candidates, clusters.finalists)}
    finalists = [index for index, candidate in enumerate(candidates) if id(candidate) in best]
    starts = {n: [replace(tries[n], seed=clusters.seed + start) for start in range(1, clusters.starts)] for n in finalists}
    again = {n: [replace(tries[n], resampled=clusters.seed + one) for one in range(clusters.resamples)] for n in finalists}
    every = [one for n in finalists for one in (*starts[n], *again[n])]
    models = dict(zip(every, _fit_all(every, clusters), strict=True))
    refined = list(candidates)
    for n in finalists:
        first = candidates[n].model.stages[-1]
        kept = min([first, *(models[one] for one in starts[n] if models[one] is not None)], key=loss_of)
        candidate = candidates[n] if kept is first else _candidate(tries[n], kept, share, clusters)
        if known is not None and candidate.method == "kmeans" and candidate.k > 1:
            candidate = _nearer_to_champion(candidate, tries[n], known, share, clusters)
        others = [models[one] for one in again[n] if models[one] is not None]
        is_measured = others and candidate.k > 1
        stability = stability_of(candidate.model.stages[-1], others, tries[n].space.scaled) if is_measured else None
        refined[n] = replace(candidate, stability=stability)
    return refined


def _nearer_to_champion(new: Candidate, one: _Try, known: DataFrame, share: float, clusters: Clusters) -> Candidate:
    """What goes on from the champion's clusters, where it is nearly as good as what began anew, and not refused."""
    preparation = one.space.preparation
    centres = means_of(preparation.transform(known), F.col(CLUSTER), len(preparation.features))
    model = go_on_from(one.space.scaled, centres, clusters) if len(centres) == new.k else None
    if model is None:
        return new
    old = replace(_candidate(one, model, share, clusters), slack=clusters.champion_slack)
    return new if old.refused or old.cost > (1 + clusters.champion_slack) * new.cost else old
