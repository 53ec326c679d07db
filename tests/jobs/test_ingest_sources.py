"""What ingest makes of a delivery and of a mapping, and the latest event, which is the "now" of the stages after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from conf.tables.ops import RUNS
from conf.tables.silver import EVENTS, QUARANTINE
from jobs.runtime.lake import fetch, local_path, open_lake, types_of
from tests.journeys.lakes import Place, versions
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


def map_orders(place: Place, **changes: Any) -> None:
    (place.conf / "sources" / "orders.yml").write_text(yaml.safe_dump({**ORDERS, **changes}))


def deliver(place: Place, name: str, text: str) -> None:
    (place.landing / "orders" / name).write_text(text)


def events(place: Place, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of the events, in the order of their ids."""
    rows = fetch(None, open_lake(place.project().settings), EVENTS.name, ("event_id", *columns)).to_pylist()
    return [tuple(row.values()) for row in sorted(rows, key=lambda row: row["event_id"])]


def refusal(place: Place, capsys: Any, *arguments: str) -> str:
    """What is said of bad input; nothing may be written."""
    before = versions(place)
    assert place.run(*arguments) == 2
    assert versions(place) == before
    return capsys.readouterr().err


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


def test_a_column_spelled_in_another_case_the_next_day_is_the_same_column(place: Place) -> None:
    map_orders(place)
    deliver(place, "1.csv", "ORDER_NUMBER,Customer,email,device,amount,at\n1,7,,,5.00,2017-01-03\n")
    assert place.run("ingest-sources") == 0
    deliver(
        place, "2.csv", "order_number,customer,email,device,amount,at,note\n2,8,,,5.00,2017-01-03,x\n1,7,,,5.00,2017-01-03,\n"
    )
    assert place.run("ingest-sources") == 0
    found = [(event, [one["value"] for one in identifiers]) for event, identifiers in events(place, "identifiers")]
    assert found == [("1", ["7"]), ("2", ["8"])]
    bronze = types_of(None, open_lake(place.project().settings), "bronze.orders")
    assert [name for name in bronze if not name.startswith("_")][:2] == ["ORDER_NUMBER", "Customer"]
    assert len(fetch(None, open_lake(place.project().settings), "bronze.orders", ("_row_hash",))) == 2


def ingest_one_order(place: Place) -> None:
    map_orders(place)
    orders(place, "1.csv", (1, "7", "", "", "5.00", "2017-01-03"))
    assert place.run("ingest-sources") == 0


def test_a_file_without_its_header_line_puts_no_value_into_the_lake_or_the_error(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_one_order(place)
    deliver(place, "2.csv", "2,8,ann@x.org,,5.00,2017-01-03\n")
    error = refusal(place, capsys, "ingest-sources")
    assert "orders/2.csv: its first line, of 6 column(s), names none of those that sources/orders.yml maps" in error
    assert "ann@x.org" not in error


def test_an_edited_mapping_is_checked_without_new_files_and_a_declared_column_is_null(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_one_order(place)
    edited = {**ORDERS["maps"], "order_id": "cart_id"}
    map_orders(place, maps=edited)
    error = refusal(place, capsys, "ingest-sources")
    assert "sources/orders.yml: `maps.order_id` names 'cart_id'" in error
    assert "(they have: amount, at, customer, device, email, order_number)" in error
    map_orders(place, maps=edited, columns=["cart_id"])
    assert place.run("ingest-sources") == 0
    assert events(place, "order_id") == [("1", None)]
    deliver(place, "2.csv", "order_number,customer,email,device,amount,at,Cart_Id\n2,8,,,5.00,2017-01-03,c\n")
    assert place.run("ingest-sources") == 0
    assert events(place, "order_id") == [("1", None), ("2", "c")]


def test_a_preview_has_declared_columns_and_names_those_that_are_not_there(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    orders(place, "1.csv", (1, "7", "", "", "5.00", "2017-01-03"))
    edited = {**ORDERS["maps"], "order_id": "cart_id"}
    map_orders(place, maps=edited)
    assert "`maps.order_id` names 'cart_id'" in refusal(place, capsys, "preview", "orders")
    map_orders(place, maps=edited, columns=["cart_id"])
    (row,) = place.run_json(capsys, "preview", "orders")
    assert (row["event_id"], row.get("order_id"), row["reasons"]) == ("1", None, [])


def test_a_first_delivery_of_empty_files_and_a_later_one_of_broken_lines_stop_nothing(place: Place) -> None:
    map_orders(place, format="json")
    deliver(place, "1.json", "")
    assert place.run("ingest-sources") == 0
    line = '{"order_number": 1, "customer": 7, "email": null, "device": null, "amount": "5.00", "at": "2017-01-03"}'
    deliver(place, "2.json", f"{line}\n")
    assert place.run("ingest-sources") == 0
    deliver(place, "3.json", '{"order_number": 2\n')
    assert place.run("ingest-sources") == 0
    waiting = fetch(None, open_lake(place.project().settings), QUARANTINE.name, ("raw_row", "reasons")).to_pylist()
    assert waiting == [{"raw_row": '{"order_number": 2', "reasons": ["unparsed"]}]
    assert events(place) == [("1",)]
