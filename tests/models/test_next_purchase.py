from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from lifetimes.utils import summary_data_from_transaction_data
from pyspark.sql import DataFrame, Row, SparkSession

from conf.project import load_project
from conf.tables.gold import PURCHASE_PREDICTIONS, RFM
from models.bg_nbd import BgNbd
from models.gamma_gamma import GammaGamma
from models.next_purchase import (
    NextPurchase,
    baskets,
    fit_next_purchase,
    frequency_and_spend,
    habits,
    holdout_summary,
    is_sound,
    judge_by_holdout,
    predict_purchases,
    purchase_summary,
    share_of,
    summary_until,
)
from tests.models.cdnow import END, UNTIL, transactions
from transforms.rfm import score_rfm

MODEL = NextPurchase(BgNbd(0.243, 4.414, 0.793, 2.426), GammaGamma(6.25, 3.74, 15.44))
TODAY = datetime(2017, 3, 31, 20, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def cdnow_days(spark: SparkSession) -> DataFrame:
    """CDNOW as purchase days: profile_id, activity_on, purchases, revenue."""
    days = transactions().assign(purchases=1).groupby(["customer", "date"])
    rows = days.agg({"purchases": "sum", "value": "sum"}).reset_index()
    columns = {
        "profile_id": pa.array(rows["customer"].astype(str)),
        "activity_on": pa.array(rows["date"].dt.date),
        "purchases": pa.array(rows["purchases"], pa.int64()),
        "revenue": pa.array([Decimal(str(round(money, 2))) for money in rows["value"]], pa.decimal128(18, 2)),
    }
    return spark.createDataFrame(pa.table(columns))


@pytest.fixture(scope="module")
def cdnow_rfm(spark: SparkSession, cdnow_days: DataFrame) -> DataFrame:
    """``gold.rfm`` of the days that are fitted on, as the suite's own transform makes it."""
    activity = cdnow_days.where(f"activity_on <= '{END}'").selectExpr(
        "profile_id as identifier_id", "activity_on", "purchases", "cast(purchases as decimal(18,3)) as units", "revenue",
        "cast(activity_on as timestamp) as first_purchase_at", "cast(activity_on as timestamp) as last_purchase_at",
    )  # fmt: skip
    identities = activity.select("identifier_id").distinct().selectExpr("identifier_id", "identifier_id as profile_id")
    scored = score_rfm(activity, identities, load_project().segments.model_copy(update={"monetary": "mean_day"}))
    return spark.createDataFrame(scored.toArrow())


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_cdnow_is_summed_up_as_the_library_sums_it_up(cdnow_rfm: DataFrame) -> None:
    ours = cdnow_rfm.join(purchase_summary(cdnow_rfm, _end()).select("profile_id", "repeats", "recency", "age"), "profile_id")
    found = _by_customer(ours.select("profile_id", "purchase_days", "monetary", "repeats", "recency", "age"))
    columns = ("customer", "date")
    library = summary_data_from_transaction_data(transactions(), *columns, observation_period_end=str(END))
    whole = summary_data_from_transaction_data(
        transactions(), *columns, monetary_value_col="value", observation_period_end=str(END), include_first_transaction=True
    )
    assert len(found) == len(library) == 2357
    for mine, theirs in {"repeats": library["frequency"], "recency": library["recency"], "age": library["T"],
                         "purchase_days": whole["frequency"]}.items():  # fmt: skip
        assert (found[mine].astype(float) == theirs).all(), mine
    assert (found["monetary"].astype(float) - whole["monetary_value"]).abs().max() < 0.0051  # ours is to the cent


def test_the_39_weeks_to_come_are_guessed_better_than_by_the_rate_so_far(cdnow_days: DataFrame) -> None:
    rows = habits(holdout_summary(cdnow_days, END, UNTIL), "later").toArrow().to_pandas()
    found = judge_by_holdout(rows, (UNTIL - END).days)
    assert (found["customers"], found["came"]) == (2357, 1882)
    assert found["error"] == pytest.approx(0.785, abs=0.001)
    assert found["naive_error"] == pytest.approx(1.024, abs=0.001)
    assert found["expected"] == pytest.approx(found["came"], rel=0.13)


def test_a_fit_does_not_depend_on_the_order_of_its_rows(cdnow_rfm: DataFrame) -> None:
    summary = purchase_summary(cdnow_rfm, _end())
    of_visits, of_money = habits(summary).toArrow().to_pandas(), baskets(summary).toArrow().to_pandas()
    assert of_visits["customers"].sum() == of_money["customers"].sum() == 2357
    fitted = fit_next_purchase(of_visits, of_money)
    assert fit_next_purchase(of_visits[::-1], of_money.sample(frac=1, random_state=1)) == fitted
    assert fitted.purchases.alpha == pytest.approx(4.414, abs=0.001)  # to the day; the published one from weeks
    assert NextPurchase.from_dict(fitted.to_dict()) == fitted


def test_where_all_money_went_back_no_sound_model_is_fitted() -> None:
    visits = pd.DataFrame({"repeats": [0, 1, 2], "recency": [0, 30, 60], "age": [90, 90, 90], "customers": [50, 30, 20]})
    money = pd.DataFrame({"purchase_days": [1, 2, 3], "revenue": [0.0, -5.0, 0.0], "customers": [50, 30, 20]})
    assert not is_sound(fit_next_purchase(visits, money), visits)
    assert is_sound(fit_next_purchase(visits, money.assign(revenue=[10.0, 25.0, 30.0])), visits)


def test_what_is_known_on_a_day_is_the_same_from_days_and_from_rfm(cdnow_days: DataFrame, cdnow_rfm: DataFrame) -> None:
    from_days, from_rfm = summary_until(cdnow_days, END), purchase_summary(cdnow_rfm, _end())
    assert from_days.columns == from_rfm.columns
    assert from_days.exceptAll(from_rfm).isEmpty()
    assert from_days.count() == from_rfm.count()


@pytest.mark.parametrize(
    ("bought", "as_of", "expected"),
    [
        (("2017-03-01", "2017-03-01", 1), TODAY, (0, 0, 30)),
        (("2017-01-01", "2017-03-12", 5), TODAY, (4, 70, 89)),
        (("2017-01-01", "2017-03-12", 5), datetime(2017, 2, 1, tzinfo=timezone.utc), (4, 70, 70)),
    ],
    ids=["once", "again", "after today"],
)
def test_a_customer_is_known_by_repeats_recency_and_age(
    spark: SparkSession, bought: tuple[str, str, int], as_of: datetime, expected: tuple[int, int, int]
) -> None:
    (row,) = purchase_summary(rfm(spark, {"ann": (*bought, "10.00")}), as_of).collect()
    assert (row.repeats, row.recency, row.age) == expected


def test_days_after_the_cut_are_counted_and_not_known(spark: SparkSession) -> None:
    bought = [("ann", 1), ("ann", 5), ("ann", 11), ("ann", 20), ("ann", 21), ("bob", 15), ("cid", 10)]
    days = spark.createDataFrame([(who, date(2017, 1, day), Decimal(1)) for who, day in bought],
                                 "profile_id string, activity_on date, revenue decimal(18,2)")  # fmt: skip
    found = _by_name(holdout_summary(days, date(2017, 1, 10), date(2017, 1, 20)))
    assert {who: (row.repeats, row.recency, row.age, row.later) for who, row in found.items()} == {
        "ann": (1, 4, 9, 2),
        "cid": (0, 0, 0, 0),
    }


def test_predictions_are_those_of_the_models(spark: SparkSession) -> None:
    customers = {"ann": ("2017-01-01", "2017-03-12", 5, "150.00"), "bob": ("2017-03-20", "2017-03-20", 1, "12.00")}
    found = predictions(spark, customers)
    for who, (repeats, recency, age, days, money) in {"ann": (4, 70, 89, 5, 150), "bob": (0, 0, 11, 1, 12)}.items():
        one = tuple(np.array([value]) for value in (float(repeats), recency / 7, age / 7))
        expected = MODEL.purchases.expected_purchases(90 / 7, *one).item()
        spend = 6.25 * (15.44 + money) / (6.25 * days + 3.74 - 1)
        assert float(found[who].expected_purchases_90d) == pytest.approx(expected, abs=0.00051)
        assert float(found[who].probability_alive) == pytest.approx(MODEL.purchases.probability_alive(*one).item(), abs=0.00051)
        assert float(found[who].expected_purchase_value) == pytest.approx(spend, abs=0.0051)
        assert float(found[who].expected_value_90d) == pytest.approx(expected * spend, abs=0.0051)
        assert (found[who].model_version, found[who].holds_since) == ("3", TODAY.date())


def test_who_stays_away_longer_than_ever_is_expected_less(spark: SparkSession) -> None:
    found = predictions(
        spark,
        {
            "steady": ("2016-10-01", "2017-03-30", 12, "120.00"),
            "silent": ("2016-10-01", "2016-12-30", 12, "120.00"),
        },
    )
    assert found["silent"].probability_alive < Decimal("0.5") < found["steady"].probability_alive
    assert 3 * found["silent"].expected_value_90d < found["steady"].expected_value_90d


def test_extremes_are_predicted_too(spark: SparkSession) -> None:
    customers = {
        "today": ("2017-03-31", "2017-03-31", 1, "0.00"),
        "rich": ("2016-01-01", "2017-03-31", 450, "1000000000.00"),
        "owed": ("2017-01-01", "2017-02-01", 2, "-50.00"),
        "early": ("1999-01-01", "1999-01-02", 2, "5.00"),
    }
    found = predictions(spark, customers)
    assert [who for who, row in found.items() if None in row] == []
    assert found["rich"].expected_value_90d > 10_000_000
    assert found["owed"].expected_value_90d >= 0
    assert found["early"].probability_alive < Decimal("0.2")


def test_a_share_of_the_profiles_is_the_same_one_each_time(spark: SparkSession) -> None:
    profiles = spark.range(2000).selectExpr("cast(id as string) as profile_id")
    halves = [share_of(profiles.repartition(n), 0.5).collect() for n in (1, 3)]
    assert sorted(halves[0]) == sorted(halves[1])
    assert 900 < len(halves[0]) < 1100
    assert share_of(profiles, 1.2).count() == 2000


@pytest.mark.parametrize(
    ("means", "expected"), [((10, 10, 10), None), ((1, 2, 3), 1.0), ((3, 2, 1), -1.0)], ids=["no spread", "together", "apart"]
)
def test_spend_that_goes_with_frequency_shows(means: tuple[int, ...], expected: float | None) -> None:
    rows = pd.DataFrame({"purchase_days": [1, 2, 3], "revenue": [m * d for m, d in zip(means, (1, 2, 3), strict=True)]})
    assert frequency_and_spend(rows.assign(customers=1)) == expected


def predictions(spark: SparkSession, customers: dict[str, tuple[str, str, int, str]]) -> dict[str, Row]:
    found = predict_purchases(purchase_summary(rfm(spark, customers), TODAY), MODEL, "3", TODAY)
    assert found.columns == list(PURCHASE_PREDICTIONS.column_names)
    types = {field.name: field.dataType for field in found.schema}
    assert types == {column.name: column.type for column in PURCHASE_PREDICTIONS.columns}
    return _by_name(found)


def rfm(spark: SparkSession, customers: dict[str, tuple[str, str, int, str]]) -> DataFrame:
    """``gold.rfm`` from first day, last day, purchase days and money; each purchase in the evening."""
    rows = []
    for who, (first, last, days, money) in customers.items():
        told: dict[str, Any] = dict.fromkeys(RFM.column_names)
        at = {f"{name}_purchase_at": datetime.fromisoformat(f"{day}T22:30:00+00:00") for name, day in
              (("first", first), ("last", last))}  # fmt: skip
        told |= {"profile_id": who, **at, "purchases": days, "purchase_days": days, "revenue": Decimal(money)}
        rows.append(tuple(told.values()))
    return spark.createDataFrame(rows, RFM.schema)


def _by_name(rows: DataFrame) -> dict[str, Row]:
    return {row.profile_id: row for row in rows.collect()}


def _by_customer(rows: DataFrame) -> pd.DataFrame:
    found = rows.toArrow().to_pandas()
    return found.set_index(found["profile_id"].astype(int)).sort_index()


def _end() -> datetime:
    return datetime(END.year, END.month, END.day, 12, tzinfo=timezone.utc)
