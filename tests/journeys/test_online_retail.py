"""Another project's configuration, by YAML alone: the UCI "Online Retail" data."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from conf.segments import SegmentsConfig
from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES
from jobs.runtime.lake import fetch, open_lake, read
from models.features import segment_features
from models.fit import choose, fit_candidates
from models.preparation import SCALED
from tests.journeys.lakes import Place, make_place
from transforms.rfm import score_rfm

CONF = Path(__file__).parent / "online_retail"


@pytest.fixture(scope="module")
def shop(compiling: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = make_place(tmp_path_factory.mktemp("shop"), conf=CONF)
    (place.landing / "orders").mkdir(parents=True)
    (place.landing / "orders" / "online_retail.parquet").symlink_to(shared_data / "online_retail.parquet")
    assert place.run("run") == 0
    return place


@pytest.fixture(scope="module")
def lines(shared_data: Path) -> pd.DataFrame:
    return pd.read_parquet(shared_data / "online_retail.parquet")


def test_every_line_is_accounted_for(shop: Place, lines: pd.DataFrame) -> None:
    events = fetch(None, open_lake(shop.project().settings), EVENTS.name, ("event_type", "primary_identifier_id"))
    assert len(events) == len(lines) == 541_909


def test_guests_belong_to_nobody(shop: Place, lines: pd.DataFrame) -> None:
    owner = fetch(None, open_lake(shop.project().settings), EVENTS.name, ("primary_identifier_id",))
    assert owner["primary_identifier_id"].null_count == lines["CustomerID"].isna().sum() == 135_080


def test_customers_and_their_numbers_are_those_of_a_recompute(shop: Place, lines: pd.DataFrame) -> None:
    columns = ("purchase_days", "revenue")
    ours = fetch(None, open_lake(shop.project().settings), RFM.name, columns).to_pandas()
    sales = lines[(lines["Quantity"] * lines["UnitPrice"] > 0) & lines["CustomerID"].notna()]
    days = sales.groupby("CustomerID")["InvoiceDate"].apply(lambda moments: moments.dt.date.nunique())
    assert len(ours) == len(days) == 4_338
    assert sorted(ours["purchase_days"]) == sorted(days)
    total = (sales["Quantity"] * sales["UnitPrice"]).sum()
    assert float(ours["revenue"].sum()) == pytest.approx(total, abs=len(sales) * 0.005)


def test_vip_loyal_and_win_back_are_among_the_segments(shop: Place) -> None:
    current = fetch(None, open_lake(shop.project().settings), SEGMENT_ASSIGNMENTS.name, ("segment",), "is_current")
    names = {str(name).rstrip(" 0123456789") for name in current["segment"].to_pylist()}
    assert {"VIP", "Loyal", "Win-back"} <= names


LAST_DAY = datetime(2011, 12, 9, 23, 59, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def accelerator() -> SegmentsConfig:
    return SegmentsConfig.model_validate(yaml.safe_load((CONF / "accelerator.yml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def measured(
    spark: SparkSession, shop: Place, accelerator: SegmentsConfig, tmp_path_factory: pytest.TempPathFactory
) -> DataFrame:
    """The shop's customers, measured as the accelerator measures them."""
    lake = open_lake(shop.project().settings)
    rfm = score_rfm(read(spark, lake, ACTIVITY), read(spark, lake, IDENTITIES), accelerator)
    path = str(tmp_path_factory.mktemp("accelerator") / "features")
    segment_features(rfm, LAST_DAY).write.parquet(path)
    return spark.read.parquet(path)


def test_r_f_and_m_of_every_customer_are_those_of_a_recompute(
    spark: SparkSession, shop: Place, measured: DataFrame, lines: pd.DataFrame
) -> None:
    names = read(spark, open_lake(shop.project().settings), IDENTITIES).select("profile_id", "value")
    rows = measured.join(names, "profile_id").select("value", "recency", "frequency", "monetary").collect()
    ours = {int(row["value"]): (row["recency"], row["frequency"], row["monetary"]) for row in rows}
    assert len(ours) == 4_338
    assert ours == _recomputed(lines)


def _recomputed(lines: pd.DataFrame) -> dict[int, tuple[float, float, float]]:
    """Days since the last purchase, days with one, and money a day; lines and means are rounded half up to the cent."""
    mills = (lines["UnitPrice"] * 1000).round().astype("int64") * lines["Quantity"].astype("int64")
    sales = lines.assign(cents=(mills + 5) // 10, day=lines["InvoiceDate"].dt.normalize())[
        (mills > 0) & lines["CustomerID"].notna()
    ]
    by_customer = sales.groupby("CustomerID").agg(last=("day", "max"), days=("day", "nunique"), cents=("cents", "sum"))
    recency = (pd.Timestamp("2011-12-09") - by_customer["last"]).dt.days
    return {
        int(customer): (float(ago), float(days), _cents_a_day(int(cents), int(days)))
        for customer, ago, days, cents in zip(by_customer.index, recency, by_customer["days"], by_customer["cents"], strict=True)
    }


def _cents_a_day(cents: int, days: int) -> float:
    return float((Decimal(cents) / days / 100).quantize(Decimal("0.01"), ROUND_HALF_UP))


def test_eight_clusters_in_the_accelerators_features_are_told_apart_as_well_as_there(
    measured: DataFrame, accelerator: SegmentsConfig
) -> None:
    chosen = choose(fit_candidates(measured, accelerator))
    rows = chosen.model.transform(measured).select(SCALED, "prediction").collect()
    points, labels = (np.array([row[column] for row in rows]) for column in (SCALED, "prediction"))
    assert chosen.k == 8
    assert _silhouette(points, labels) >= 0.3756
    assert chosen.shortfalls == ("frequency: 4 of 5 levels, for too many customers are equal",)


def _silhouette(points: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Rousseeuw's mean silhouette, by Euclidean distances between all pairs."""
    from scipy.spatial.distance import cdist

    member = np.eye(labels.max() + 1)[labels]
    totals, sizes = cdist(points, points) @ member, member.sum(axis=0)
    own = totals[np.arange(len(labels)), labels] / (sizes[labels] - 1)
    nearest = np.where(member == 1, np.inf, totals / sizes).min(axis=1)
    return float(((nearest - own) / np.maximum(own, nearest)).mean())
