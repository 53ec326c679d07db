"""A shop of a few lines: a project of its own, small enough that a test can say every row of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import yaml

from tests.journeys.lakes import Place, make_place

CRM = {
    "source": "crm",
    "kind": "records",
    "path": "crm/",
    "format": "csv",
    "maps": {"record_id": "concat(customer, '@', at)", "observed_at": "cast(at as timestamp)", "city": "city"},
    "identifiers": [{"namespace": "crm_id", "value": "customer"}, {"namespace": "email", "value": "email"}],
}
ORDERS = {
    "source": "orders",
    "kind": "events",
    "path": "orders/",
    "format": "csv",
    "maps": {
        "event_id": "order_number",
        "event_type": "case when cast(amount as decimal(18,2)) > 0 then 'purchase' else 'product_view' end",
        "occurred_at": "cast(at as timestamp)",
        "order_id": "order_number",
        "revenue": "cast(amount as decimal(18,2))",
    },
    "identifiers": [
        {"namespace": "crm_id", "value": "customer"},
        {"namespace": "email", "value": "email"},
        {"namespace": "device_id", "value": "device"},
    ],
}
IDENTITY = {
    "namespaces": [
        {"name": "crm_id", "max_per_profile": 1},
        {"name": "email", "normalise": "email"},
        {"name": "device_id", "kind": "device", "max_linked": 8},
    ],
    "blocked": {"values": ["null", "test@test.com"]},
}
PROFILE = {"attributes": [{"name": "city"}]}


def open_shop(folder: Path, lake: str = "lake") -> Place:
    """A place with this shop's configuration, and empty landing folders."""
    conf = folder / "shop"
    for name, value in {
        "sources/crm.yml": CRM,
        "sources/orders.yml": ORDERS,
        "identity.yml": IDENTITY,
        "profile.yml": PROFILE,
        "segments.yml": yaml.safe_load((Path(__file__).parents[2] / "conf" / "segments.yml").read_text()),
    }.items():
        (conf / name).parent.mkdir(parents=True, exist_ok=True)
        (conf / name).write_text(yaml.safe_dump(value))
    place = make_place(folder, lake=lake, conf=conf)
    for source in ("crm", "orders"):
        (place.landing / source).mkdir(parents=True, exist_ok=True)
    return place


def customers(place: Place, file: str, *rows: tuple[str, str, str, str]) -> None:
    """Delivers records of (customer, email, city, at)."""
    _write(place.landing / "crm" / file, ("customer", "email", "city", "at"), rows)


def orders(place: Place, file: str, *rows: tuple[Any, ...]) -> None:
    """Delivers events of (order_number, customer, email, device, amount, at); an amount of 0 is a look at a product."""
    _write(place.landing / "orders" / file, ("order_number", "customer", "email", "device", "amount", "at"), rows)


def _write(path: Path, header: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
