"""From measures to the space that is clustered: caps, logs, quantiles and scaling, fitted once and saved in the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.feature import SQLTransformer, StandardScaler, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.segments import Feature

SCALED = "scaled_features"


@dataclass(frozen=True)
class FittedFeature:
    """A feature with what was fitted of it: its cap in the measure's own unit, and the cut points of its levels."""

    feature: Feature
    cap: float | None
    cuts: tuple[float, ...]

    @property
    def expression(self) -> str:
        """SQL over the measure's column: what the clustering sees of it before scaling."""
        name = self.feature.name
        value = name if self.cap is None else f"least({name}, {self.cap!r}D)"
        if self.feature.transform == "log":
            return f"ln(1D + greatest({value}, 0D))"
        if self.feature.transform == "quantile":
            return " + ".join(["0D", *(f"cast({value} >= {cut!r}D as double)" for cut in self.cuts)])
        return value

    @property
    def shortfall(self) -> str | None:
        """What there is to say where ties leave fewer levels than were asked for; None where they do not."""
        asked = self.feature.levels
        if self.feature.transform != "quantile" or len(self.cuts) + 1 >= asked:
            return None
        return f"{self.feature.name}: {len(self.cuts) + 1} of {asked} levels, for too many customers are equal"


@dataclass(frozen=True)
class Preparation:
    """The stages of a pipeline before its clustering, and the features that they were fitted for."""

    features: tuple[FittedFeature, ...]
    stages: tuple[Transformer, ...]

    def transform(self, features: DataFrame) -> DataFrame:
        """Features -> the same rows with ``scaled_features``."""
        return PipelineModel(stages=list(self.stages)).transform(features)

    def count_ways(self, features: DataFrame) -> int:
        """In how many different ways customers look to the clustering."""
        prepared = self.stages[0].transform(features)
        ways = F.count_distinct(F.struct(*[f"prepared_{one.feature.name}" for one in self.features]))
        return int(prepared.agg(ways).collect()[0][0])


def fit_preparation(features: Sequence[Feature], customers: DataFrame) -> Preparation:
    """Fits percentiles (exact), then the scaling; a feature that is the same for everybody is scaled to 0."""
    fitted = _fit_percentiles(features, customers)
    columns = [f"prepared_{one.feature.name}" for one in fitted]
    shown = ", ".join(f"{one.expression} AS {column}" for one, column in zip(fitted, columns, strict=True))
    prepare = SQLTransformer(statement=f"SELECT *, {shown} FROM __THIS__")
    assemble = VectorAssembler(inputCols=columns, outputCol="prepared_features")
    scaler = StandardScaler(inputCol="prepared_features", outputCol=SCALED, withMean=True, withStd=True)
    return Preparation(fitted, (prepare, assemble, scaler.fit(assemble.transform(prepare.transform(customers)))))


def _fit_percentiles(features: Sequence[Feature], customers: DataFrame) -> tuple[FittedFeature, ...]:
    """Caps and cut points. A cut point that most customers share comes once; one that all reach divides nobody."""
    asked = {feature.name: _percentiles(feature) for feature in features if _percentiles(feature)}
    if not asked:
        return tuple(FittedFeature(feature, _value(feature), ()) for feature in features)
    found = [F.percentile(name, F.array(*map(F.lit, shares))).alias(name) for name, shares in asked.items()]
    lowest = [F.min(name).alias(f"lowest_{name}") for name in asked]
    row = customers.agg(*found, *lowest).collect()[0]
    fitted = []
    for feature in features:
        values = list(row[feature.name]) if feature.name in asked else []
        cap = values.pop(0) if feature.cap_percentile is not None else _value(feature)
        cuts = {cut if cap is None else min(cut, cap) for cut in values}
        fitted.append(FittedFeature(feature, cap, tuple(sorted(cut for cut in cuts if cut > row[f"lowest_{feature.name}"]))))
    return tuple(fitted)


def _percentiles(feature: Feature) -> list[float]:
    cap = [] if feature.cap_percentile is None else [feature.cap_percentile]
    levels = feature.levels if feature.transform == "quantile" else 1
    return cap + [level / levels for level in range(1, levels)]


def _value(feature: Feature) -> float | None:
    return feature.cap if isinstance(feature.cap, float) else None
