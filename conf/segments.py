"""The declared segments: what is measured of a customer, how customers are clustered, what a cluster may be called."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from conf.model import Declared

Measure = Literal["recency", "frequency", "monetary", "purchase_rate", "missed_purchases", "tenure"]

MEASURES: tuple[Measure, ...] = ("recency", "frequency", "monetary", "purchase_rate", "missed_purchases", "tenure")
"""What is measured of every customer: days, purchases, money, purchase days a week, purchase days, days."""

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


Range = Annotated[tuple[float, float], AfterValidator(_check_range)]
Positions = Annotated[Range, AfterValidator(_check_share_range)]
Position = Annotated[float, Field(ge=0, le=1)]
SegmentName = Annotated[str, Field(pattern=r"^[A-Za-z](?:[A-Za-z '\-]*[A-Za-z])?$", max_length=40)]


class Feature(Declared):
    """A measure that the clustering looks at: capped first where ``cap`` is given, then transformed, then scaled."""

    name: Measure
    transform: Literal["log", "none"] = "log"
    cap: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class Clusters(Declared):
    """How clusters are looked for: one candidate per ``k``, each the best of ``starts`` tries."""

    k: tuple[int, ...] = Field(default=(5, 6, 7, 8), min_length=1)
    seed: int = Field(default=1, ge=0)
    max_iterations: int = Field(default=30, ge=1, le=1000)
    starts: int = Field(default=3, ge=1, le=50)

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


class SegmentsConfig(Declared):
    """``conf/segments.yml``."""

    frequency: Literal["purchases", "purchase_days"] = "purchases"
    monetary: Literal["sum", "mean_purchase", "mean_day"] = "sum"
    features: tuple[Feature, ...] = Field(min_length=1)
    clusters: Clusters = Field(default_factory=Clusters)
    names: tuple[NameRule, ...] = Field(min_length=1)
    otherwise: OtherwiseName = Field(default_factory=OtherwiseName)

    @field_validator("features")
    @classmethod
    def _features_once(cls, value: tuple[Feature, ...]) -> tuple[Feature, ...]:
        _refuse_repeats([feature.name for feature in value])
        return value

    @model_validator(mode="after")
    def _names_once(self) -> SegmentsConfig:
        _refuse_repeats([rule.name.lower() for rule in self.names] + [self.otherwise.name.lower()])
        return self


def _refuse_repeats(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"declared twice: {', '.join(twice)}")
