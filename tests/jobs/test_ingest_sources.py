"""What ingest tells of a delivery: the latest event, which is the "now" of the stages after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.tables.ops import RUNS
from jobs.runtime.lake import local_path, open_lake
from tests.journeys.lakes import Place
from tests.journeys.shop import ORDERS, open_shop, orders


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    """A shop in which the dearer of two rows of an order is the newer one."""
    place = open_shop(tmp_path)
    newest = {**ORDERS, "maps": {**ORDERS["maps"], "version": "cast(cast(amount as decimal(18,2)) as bigint)"}}
    (place.conf / "sources" / "orders.yml").write_text(yaml.safe_dump(newest))
    return place


def latest_event(place: Place, capsys: Any) -> str:
    stages = {stage["stage"]: stage for stage in place.run_json(capsys, "ingest-sources")["stages"]}
    return stages["ingest-silver"]["counts"]["latest_event"]


def test_the_latest_event_is_that_of_all_deliveries_also_after_a_late_one_a_killed_run_and_a_correction(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    orders(place, "1.csv", (1, "1", "", "", "5.00", "2017-01-03 10:00"), (2, "1", "", "", "5.00", "2017-01-05 10:00"))
    assert latest_event(place, capsys) == "2017-01-05T10:00:00+00:00"
    orders(place, "2.csv", (3, "1", "", "", "5.00", "2017-01-04 10:00"))
    assert latest_event(place, capsys) == "2017-01-05T10:00:00+00:00"
    orders(place, "3.csv", (4, "1", "", "", "5.00", "2017-01-06 10:00:00.000001"))
    assert latest_event(place, capsys) == "2017-01-06T10:00:00.000001+00:00"

    forget_the_last_run_of(place, "ingest-silver")
    assert latest_event(place, capsys) == "2017-01-06T10:00:00.000001+00:00"

    orders(place, "4.csv", (4, "1", "", "", "6.00", "2017-01-02 10:00"))
    assert latest_event(place, capsys) == "2017-01-05T10:00:00+00:00"


def forget_the_last_run_of(place: Place, stage: str) -> None:
    """As if it had been killed after it wrote its tables and before it said so."""
    runs = DeltaTable(str(local_path(open_lake(place.project().settings), RUNS.name)))
    last = max(row["started_at"] for row in runs.to_pyarrow_table().to_pylist() if row["stage"] == stage)
    runs.delete(f"stage = '{stage}' AND started_at >= '{last.isoformat()}'")
