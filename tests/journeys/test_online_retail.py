"""Another project's configuration, by YAML alone: the UCI "Online Retail" data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS
from conf.tables.silver import EVENTS
from jobs.runtime.lake import fetch, open_lake
from tests.journeys.lakes import Place, make_place

CONF = Path(__file__).parent / "online_retail"


@pytest.fixture(scope="module")
def shop(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
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
