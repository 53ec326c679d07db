"""The declared segments: what is measured of a customer, how customers are clustered, what a cluster may be called."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, field_validator, model_validator

from conf.activity import EVENT_KINDS
from conf.expressions import parse_expression
from conf.kinds import spoken
from conf.model import Declared
from conf.source import EVENT_COLUMNS

Measure = Literal["recency", "frequency", "monetary", "purchase_rate", "missed_purchases", "tenure"]

MEASURES: tuple[Measure, ...] = ("recency", "frequency", "monetary", "purchase_rate", "missed_purchases", "tenure")
"""What is measured of every customer: days, purchases, money, purchase days a week, purchase days, days."""

Method = Literal["kmeans", "bisecting", "mixture"]

ONE_FEATURE_SET = "features"
"""What the only feature set is called where just one is declared."""

MARGIN = "margin"
"""The key under which a source of events maps a line's margin, where the monetary value is the sum of margins."""

CLUSTERS_LIMIT = 50


def _check_range(value: tuple[float, float]) -> tuple[float, float]:
    low, high = value
    if not low < high:  # also refuses NaN, which compares with nothing
        raise ValueError(f"found [{low:g}, {high:g}]; expected [low, high] with low below high")
    return value


def _check_share_range(value: tuple[float, float]) -> tuple[float, float]:
    low, high = value
    if low < 0 or high > 1:
        raise ValueError(f"found [{low:g}, {high:g}]; expected positions between 0 and 1")
    return value


def _check_cap(value: Any) -> float | str:
    if isinstance(value, str) and re.fullmatch(r"p(?:[5-9]\d)(?:\.\d+)?", value):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return float(value)
    raise ValueError(f"found {value!r}; expected a number greater than 0, or a percentile from p50 to p99.99")


Range = Annotated[tuple[float, float], AfterValidator(_check_range)]
Positions = Annotated[Range, AfterValidator(_check_share_range)]
Position = Annotated[float, Field(ge=0, le=1)]
Cap = Annotated[float | str, PlainValidator(_check_cap)]
FeatureSetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
SegmentName = Annotated[str, Field(pattern=r"^[A-Za-z](?:[A-Za-z '\-]*[A-Za-z])?$", max_length=40)]


class Feature(Declared):
    """A measure that the clustering looks at: capped first where ``cap`` is given, then transformed, then scaled.

    ``cap`` is in the measure's own unit, or a percentile (``p99``) of the customers that a model is trained on.
    ``quantile`` stands for the measure the number of the training customers' ``levels``-quantiles that it reaches.
    """

    name: Measure
    transform: Literal["log", "none", "quantile"] = "log"
    cap: Cap | None = None
    levels: int = Field(default=5, ge=2, le=100)

    @model_validator(mode="after")
    def _levels_are_of_quantiles(self) -> Feature:
        if "levels" in self.model_fields_set and self.transform != "quantile":
            raise ValueError(f"{self.name}: `levels` needs `transform: quantile`")
        return self

    @property
    def cap_percentile(self) -> float | None:
        """The percentile at which it is capped, 0 to 1; None where it is not capped, or at a value."""
        return float(self.cap[1:]) / 100 if isinstance(self.cap, str) else None


class Clusters(Declared):
    """How clusters are looked for: one candidate per method, feature set and ``k``.

    Silhouettes rank all candidates, each from one start; the best ``finalists`` get the other ``starts``, and are trained
    again on ``resamples`` of the customers to see how stable they are. ``silhouette_rows`` is how many customers at most a
    silhouette is measured on; ``init_steps`` are the rounds in which k-means looks for its first centres.

    A finalist of k-means with as many clusters as the champion gets one start more, from where the champion puts today's
    customers. What comes of it is preferred while it is worse than the best by no more than ``champion_slack``, as a part.
    """

    methods: tuple[Method, ...] = Field(default=("kmeans",), min_length=1)
    k: tuple[int, ...] = Field(default=(5, 6, 7, 8), min_length=1)
    seed: int = Field(default=1, ge=0)
    max_iterations: int = Field(default=30, ge=1, le=1000)
    starts: int = Field(default=3, ge=1, le=50)
    init_steps: int = Field(default=2, ge=1, le=50)
    finalists: int = Field(default=3, ge=1, le=20)
    resamples: int = Field(default=5, ge=0, le=50)
    smallest_share: Position = 0.01
    silhouette_rows: int = Field(default=50_000, ge=100)
    champion_slack: float = Field(default=0.02, ge=0, le=1)

    @field_validator("methods")
    @classmethod
    def _methods_once(cls, value: tuple[Method, ...]) -> tuple[Method, ...]:
        _refuse_repeats(list(value))
        return value

    @field_validator("k", mode="before")
    @classmethod
    def _from_to(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        first, last = value.get("from", 0), value.get("to", 0)
        is_range = set(value) == {"from", "to"} and isinstance(first, int) and isinstance(last, int)
        if is_range and first <= last <= CLUSTERS_LIMIT:
            return tuple(range(first, last + 1))
        raise ValueError(f"found {value!r}; expected a list, [5, 6, 7, 8], or a range, {{from: 5, to: 8}}")

    @field_validator("k")
    @classmethod
    def _sensible_numbers(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        outside = [k for k in value if not 2 <= k <= CLUSTERS_LIMIT]
        if outside:
            raise ValueError(f"found {outside}; expected numbers of clusters from 2 to {CLUSTERS_LIMIT}")
        return tuple(sorted(set(value)))


class NameRule(Declared):
    """A business name and the clusters it is true of.

    ``when`` holds positions of the cluster's median among all customers (0 the lowest, 1 the highest), ``values`` the
    same median in its own unit; every condition must hold. ``like`` is the customer the name makes one think of:
    where several names are true, the nearest wins. A measure left out of ``like`` is the middle of its range.
    """

    name: SegmentName
    meaning: str = Field(min_length=1)
    when: dict[Measure, Positions] = Field(default_factory=dict)
    values: dict[Measure, Range] = Field(default_factory=dict)
    like: dict[Measure, Position] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _conditions_hold_for_the_prototype(self) -> NameRule:
        if not self.when and not self.values:
            raise ValueError(f"{self.name}: needs a condition; a name for everybody else belongs under `otherwise`")
        for measure, position in self.like.items():
            low, high = self.when.get(measure, (0.0, 1.0))
            if not low <= position <= high:
                outside = f"like.{measure} is {position:g}, outside when.{measure} [{low:g}, {high:g}]"
                raise ValueError(f"{self.name}: {outside}")
        return self

    @property
    def prototype(self) -> dict[Measure, float]:
        """Positions of the customer that the name makes one think of, in the order of ``MEASURES``."""
        middle = {measure: (low + high) / 2 for measure, (low, high) in self.when.items()}
        return {measure: {**middle, **self.like}[measure] for measure in MEASURES if measure in {**middle, **self.like}}


class OtherwiseName(Declared):
    """The neutral name of a cluster that no rule is true of."""

    name: SegmentName = "Regular"
    meaning: str = Field(default="Customers whom none of the other names describes.", min_length=1)


class Purchases(Declared):
    """What counts as a purchase: an order whose lines of a day come to more than ``above``, in the lake's currency; one that
    comes to less brings no money and no units either.

    ``where`` is SQL over an event's columns; an event of the type ``purchase`` of which it is not true is none.
    """

    above: Decimal = Field(default=Decimal(0), ge=0, decimal_places=2, max_digits=18)
    where: str | None = None

    @field_validator("where")
    @classmethod
    def _is_a_condition(cls, value: str | None) -> str | None:
        if value is None:
            return None
        found = parse_expression(value, EVENT_KINDS)
        if found.kind != "boolean":
            raise ValueError(f"found {value!r}, which is {spoken(found.kind)}; expected a condition")
        known = (*EVENT_COLUMNS, "occurred_on", "source")
        unknown = sorted(set(found.columns) - set(known))
        if unknown:
            raise ValueError(f"names {', '.join(unknown)}; expected columns of an event ({', '.join(known)})")
        return value

    @property
    def condition(self) -> str | None:
        """SQL that is true of an event that may be a purchase, and never null; None where all may."""
        return None if self.where is None else f"coalesce({parse_expression(self.where, EVENT_KINDS).sql}, false)"


class Currency(Declared):
    """The currency of all money in the lake, ``name``, and what a unit of others is worth in it."""

    name: CurrencyCode
    rates: dict[CurrencyCode, Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=9)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_rate_of_its_own(self) -> Currency:
        if self.name in self.rates:
            raise ValueError(f"rates: {self.name} is the lake's own currency and needs no rate")
        return self


class Scores(Declared):
    """Scores of recency, frequency and monetary value: 1 to ``levels``, the highest for the best customers."""

    levels: int = Field(default=5, ge=2, le=9)


class Gate(Declared):
    """What a challenger must show before it serves in the champion's place.

    ``silhouette_drop`` is how much lower its silhouette may be, ``agreement`` the least adjusted Rand index between both
    models over today's customers, ``smallest_share`` and ``largest_share`` bound its segments. ``name_slack`` is how far,
    in positions, a segment's median may leave the conditions of the name that it has before the name is lost. ``approval``
    says who promotes a challenger that has passed.
    """

    silhouette_drop: float = Field(default=0.05, ge=0, le=2)
    agreement: float = Field(default=0.5, ge=-1, le=1)
    smallest_share: Position = 0.005
    largest_share: Position = 0.8
    name_slack: Position = 0.05
    approval: Literal["automatic", "person"] = "automatic"


class Drift(Declared):
    """From which population stability index on the customers have changed so much that a new model is asked for."""

    psi: float = Field(default=0.25, gt=0)


class SegmentsConfig(Declared):
    """``conf/segments.yml``. Either ``features``, or several ``feature_sets`` by name for the training to choose from."""

    frequency: Literal["purchases", "purchase_days"] = "purchases"
    monetary: Literal["sum", "mean_purchase", "mean_day", "margin"] = "sum"
    returns: Literal["ignored", "netted"] = "ignored"
    purchases: Purchases = Field(default_factory=Purchases)
    currency: Currency | None = None
    window: str = Field(default="all", pattern=r"^(?:all|[1-9]\d{0,4}d)$")
    scores: Scores = Field(default_factory=Scores)
    features: tuple[Feature, ...] = ()
    feature_sets: dict[FeatureSetName, tuple[Feature, ...]] = Field(default_factory=dict)
    clusters: Clusters = Field(default_factory=Clusters)
    names: tuple[NameRule, ...] = Field(min_length=1)
    otherwise: OtherwiseName = Field(default_factory=OtherwiseName)
    gate: Gate = Field(default_factory=Gate)
    drift: Drift = Field(default_factory=Drift)

    @field_validator("features")
    @classmethod
    def _features_once(cls, value: tuple[Feature, ...]) -> tuple[Feature, ...]:
        _refuse_repeats([feature.name for feature in value])
        return value

    @field_validator("feature_sets")
    @classmethod
    def _full_sets(cls, value: dict[str, tuple[Feature, ...]]) -> dict[str, tuple[Feature, ...]]:
        for name, features in value.items():
            if not features:
                raise ValueError(f"{name}: needs a feature")
            _refuse_repeats([feature.name for feature in features])
        return value

    @model_validator(mode="after")
    def _one_way_to_declare_features(self) -> SegmentsConfig:
        if bool(self.features) == bool(self.feature_sets):
            raise ValueError("expected either `features` (a list) or `feature_sets` (lists by name), with a feature in it")
        return self

    @model_validator(mode="after")
    def _margins_are_of_lines(self) -> SegmentsConfig:
        if self.monetary == MARGIN and self.purchases.above > 0:
            raise ValueError(
                "purchases: `above` is about orders, and margins are added up by line: with `monetary: margin` use `where`"
            )
        return self

    @model_validator(mode="after")
    def _names_once(self) -> SegmentsConfig:
        _refuse_repeats([rule.name.lower() for rule in self.names] + [self.otherwise.name.lower()])
        return self

    @property
    def sets(self) -> dict[str, tuple[Feature, ...]]:
        """The features that a model may look at, by the name of their set."""
        return dict(self.feature_sets) or {ONE_FEATURE_SET: self.features}

    @property
    def window_days(self) -> int | None:
        """How many days of purchases count, that of ``as_of`` included; None for all."""
        return None if self.window == "all" else int(self.window[:-1])

    @property
    def definitions(self) -> dict[str, Any]:
        """What the measures mean: a model only serves customers who are measured as those were that it was trained on."""
        defined = self.model_dump(mode="json", include={"frequency", "monetary", "returns", "window"})
        defined |= {"purchases": self.purchases.model_dump(mode="json")} if self.purchases != Purchases() else {}
        return defined | ({"currency": self.currency.name} if self.currency else {})


def _refuse_repeats(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"declared twice: {', '.join(twice)}")
