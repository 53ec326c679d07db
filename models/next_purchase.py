"""Next purchase: what is looked at of a customer, what is fitted to it, and what it predicts.

Training and serving read customers through one definition, :func:`purchase_summary`. Time is in whole days (UTC), and what
counts is days with a purchase, whatever ``conf/segments.yml`` calls frequency: two baskets on one day are one visit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.functions import pandas_udf  # type: ignore[attr-defined]  # its annotations leave it out

from conf.tables.gold import PURCHASE_PREDICTIONS
from models.bg_nbd import BgNbd, fit_bg_nbd
from models.gamma_gamma import GammaGamma, fit_gamma_gamma

if TYPE_CHECKING:
    from models.bg_nbd import Numbers

HORIZON_DAYS = 90
SHARES = 2**30


@dataclass(frozen=True)
class NextPurchase:
    """Both models' parameters: ``purchases`` in weeks, ``spend`` in money of a purchase day."""

    purchases: BgNbd
    spend: GammaGamma

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as ``ops.model_parameters`` keeps them."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> NextPurchase:
        """The inverse of :meth:`to_dict`."""
        return NextPurchase(BgNbd(**values["purchases"]), GammaGamma(**values["spend"]))


def purchase_summary(rfm: DataFrame, as_of: datetime) -> DataFrame:
    """``gold.rfm`` -> one row per profile: profile_id, ``purchase_days``, ``revenue``, and whole days as integers:
    ``repeats`` (purchase days after the first), ``recency`` (from the first to the last), ``age`` (from the first to
    ``as_of``, or to the last where that is later).
    """
    today = F.lit(as_of.astimezone(timezone.utc).date())
    return _summary(rfm, F.to_date("first_purchase_at"), F.to_date("last_purchase_at"), today)


def summary_until(days: DataFrame, end: date) -> DataFrame:
    """Purchase days (profile_id, activity_on, revenue; one row each) -> what :func:`purchase_summary` said on ``end``."""
    known = days.where(F.col("activity_on") <= F.lit(end)).groupBy("profile_id")
    totals = known.agg(
        F.count("activity_on").alias("purchase_days"),
        F.sum("revenue").alias("revenue"),
        F.min("activity_on").alias("first_on"),
        F.max("activity_on").alias("last_on"),
    )
    return _summary(totals, F.col("first_on"), F.col("last_on"), F.lit(end))


def _summary(totals: DataFrame, first: Column, last: Column, today: Column) -> DataFrame:
    recency = F.datediff(last, first)
    return totals.select(
        "profile_id",
        "purchase_days",
        "revenue",
        (F.col("purchase_days") - 1).alias("repeats"),
        recency.alias("recency"),
        F.greatest(F.datediff(today, first), recency).alias("age"),
    )


def holdout_summary(days: DataFrame, end: date, until: date) -> DataFrame:
    """Purchase days -> the summary on ``end`` with ``later``: purchase days after it, up to and with ``until``."""
    is_later = F.col("activity_on").between(F.date_add(F.lit(end), 1), F.lit(until))
    later = days.where(is_later).groupBy("profile_id").agg(F.count("activity_on").alias("later"))
    return summary_until(days, end).join(later, "profile_id", "left").fillna(0, "later")


def habits(summary: DataFrame, *also: str) -> DataFrame:
    """The summary as combinations that occur, with the number of ``customers`` of each: what a fit looks at."""
    return summary.groupBy("repeats", "recency", "age", *also).agg(F.count(F.lit(1)).alias("customers"))


def baskets(summary: DataFrame) -> DataFrame:
    """Purchase days and revenue as combinations that occur, with the number of ``customers`` of each."""
    return summary.groupBy("purchase_days", "revenue").agg(F.count(F.lit(1)).alias("customers"))


def share_of(summary: DataFrame, share: float) -> DataFrame:
    """About this share of the profiles, the same ones each time: chosen by a hash of their ids."""
    if share >= 1:
        return summary
    return summary.where(F.pmod(F.xxhash64("profile_id"), F.lit(SHARES)) < int(share * SHARES))


def fit_next_purchase(habits: pd.DataFrame, baskets: pd.DataFrame) -> NextPurchase:
    """Fits both models; the order of the rows makes no difference, to the last digit."""
    return NextPurchase(_fit_purchases(habits), _fit_spend(baskets))


def _fit_purchases(habits: pd.DataFrame) -> BgNbd:
    rows = habits.sort_values(["repeats", "recency", "age"])
    return fit_bg_nbd(*_in_weeks(rows), _numbers(rows["customers"]))


def _fit_spend(baskets: pd.DataFrame) -> GammaGamma:
    rows = baskets[baskets["revenue"] > 0].sort_values(["purchase_days", "revenue"])
    if rows.empty:  # all of it was returned: there is nothing to fit, and no sound model
        return GammaGamma(math.nan, math.nan, math.nan)
    days = _numbers(rows["purchase_days"])
    return fit_gamma_gamma(days, _numbers(rows["revenue"]) / days, _numbers(rows["customers"]))


def is_sound(model: NextPurchase, habits: pd.DataFrame) -> bool:
    """Whether all parameters are numbers, and so is what is expected of everybody, zero or more."""
    parameters = [*asdict(model.purchases).values(), *asdict(model.spend).values()]
    expected = model.purchases.expected_purchases(HORIZON_DAYS / 7, *_in_weeks(habits))
    return bool(np.isfinite(parameters).all() and np.isfinite(expected).all() and (expected >= 0).all())


def judge_by_holdout(holdout: pd.DataFrame, days: int = HORIZON_DAYS) -> dict[str, Any]:
    """Fits on what was known at the cut and compares with what came in the ``days`` after it, customer by customer.

    ``error`` is the mean absolute error in purchase days; ``naive_error`` that of everybody going on at their rate so far.
    ``expected`` and ``came`` are purchase days of all customers together.
    """
    rows = holdout.sort_values(["repeats", "recency", "age", "later"])
    repeats, recency, age = _in_weeks(rows)
    customers, later = _numbers(rows["customers"]), _numbers(rows["later"])
    fitted = fit_bg_nbd(repeats, recency, age, customers)
    weeks = days / 7
    expected = fitted.expected_purchases(weeks, repeats, recency, age)
    naive = np.divide(repeats * weeks, age, out=np.zeros_like(age), where=age > 0)
    return {
        "customers": int(customers.sum()),
        "error": _mean_error(expected, later, customers),
        "naive_error": _mean_error(naive, later, customers),
        "expected": round(float(expected @ customers), 1),
        "came": int(later @ customers),
    }


def frequency_and_spend(baskets: pd.DataFrame) -> float | None:
    """Correlation of purchase days and money of one, which the model of spend takes for independent; None without spread."""
    days = _numbers(baskets["purchase_days"])
    pairs, weights = np.stack([days, _numbers(baskets["revenue"]) / days]), _numbers(baskets["customers"])
    covariance = np.cov(pairs, fweights=weights.astype(np.int64), ddof=0)
    spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return round(float(covariance[0, 1]) / spread, 3) if spread > 0 else None


def predict_purchases(summary: DataFrame, model: NextPurchase, version: str, as_of: datetime) -> DataFrame:
    """The summary -> ``gold.purchase_predictions``, rounded to what is worth telling: thousandths, and cents.

    The money of somebody's purchase day is expected from their own mean, drawn towards everybody's the fewer days it is
    made of. A total below zero counts as zero.
    """
    alive, active = _probability_alive(model.purchases), _expected_while_active(model.purchases)
    expected, spend = alive * active(F.col("repeats"), F.col("age")), _expected_spend(model.spend)
    values = {
        "probability_alive": F.round(alive, 3),
        "expected_purchases_90d": F.round(expected, 3),
        "expected_purchase_value": F.round(spend, 2),
        "expected_value_90d": F.round(expected * spend, 2),
        "model_version": F.lit(version),
        "holds_since": F.lit(as_of.astimezone(timezone.utc).date()),
    }
    types = {column.name: column.type for column in PURCHASE_PREDICTIONS.columns}
    return summary.select("profile_id", *(value.cast(types[name]).alias(name) for name, value in values.items()))


def _probability_alive(model: BgNbd) -> Column:
    """As :meth:`BgNbd.probability_alive`, in SQL."""
    repeats, weeks = F.col("repeats"), (lambda name: F.col(name) / 7 + model.alpha)
    odds = model.a / (model.b + repeats - 1) * F.pow(weeks("age") / weeks("recency"), repeats + model.r)
    return F.when(repeats > 0, 1 / (1 + odds)).otherwise(1.0)


def _expected_while_active(model: BgNbd) -> Any:
    """As :meth:`BgNbd.expected_while_active`: SQL has no hypergeometric function."""

    @pandas_udf("double")
    def expected(repeats: pd.Series, age: pd.Series) -> pd.Series:
        found = model.expected_while_active(HORIZON_DAYS / 7, repeats.to_numpy(float), age.to_numpy(float) / 7)
        return pd.Series(found)

    return expected


def _expected_spend(model: GammaGamma) -> Column:
    """Equation 5 of the note. Where the spread of means is so wide that it has none, the customer's own mean counts."""
    days, revenue = F.col("purchase_days"), F.greatest(F.col("revenue").cast("double"), F.lit(0.0))
    weight = days * model.p + (model.q - 1)
    return F.when(weight > 0, model.p * (model.v + revenue) / weight).otherwise(revenue / days)


def _in_weeks(rows: pd.DataFrame) -> tuple[Numbers, Numbers, Numbers]:
    return _numbers(rows["repeats"]), _numbers(rows["recency"]) / 7, _numbers(rows["age"]) / 7


def _numbers(column: pd.Series[Any]) -> Numbers:
    return column.to_numpy(np.float64)


def _mean_error(guess: Numbers, later: Numbers, customers: Numbers) -> float:
    return round(float(np.average(np.abs(guess - later), weights=customers)), 4)
