"""Profiles through ``c360 run``: days that pass, a late event, a merge, an edited configuration, a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from conf.project import default_conf
from conf.tables.consents import CONSENTS
from conf.tables.gold import customer_360_table
from conf.tables.measures import activity_measures_table
from conf.tables.silver import ACTIVITY, IDENTITIES, profile_attributes_table
from jobs.runtime.lake import fetch, open_lake
from tests.journeys.lakes import Place, make_place, rows_of, versions

CRM = {
    "source": "crm",
    "kind": "records",
    "path": "crm/",
    "format": "csv",
    "maps": {
        "record_id": "concat(id, '@', at)",
        "observed_at": "cast(at as timestamp)",
        **{name: name for name in ("city", "points", "nickname", "street", "consent")},
    },
    "identifiers": [{"namespace": "crm_id", "value": "id"}, {"namespace": "email", "value": "email"}],
}
SHOP = {
    "source": "shop",
    "kind": "events",
    "path": "shop/",
    "format": "csv",
    "maps": {"event_id": "id", "event_type": "type", "occurred_at": "cast(at as timestamp)", "product_id": "product"},
    "identifiers": [{"namespace": "email", "value": "email"}, {"namespace": "cookie", "value": "cookie"}],
}
IDENTITY = {"namespaces": [{"name": "crm_id"}, {"name": "email"}, {"name": "cookie", "kind": "browser"}]}
PROFILE: dict[str, Any] = {
    "attributes": [
        {"name": "city", "personal": "indirect"},
        {"name": "points", "policy": "sum", "type": "int"},
        {"name": "nickname", "policy": "longest", "valid_for": "10d"},
    ],
    "activity": [
        {"name": "views", "measure": "count", "filter": "event_type = 'view'", "windows": ["7d", "all"]},
        {"name": "days_events", "measure": "sum", "over": "days", "of": "events", "type": "bigint", "windows": ["7d"]},
    ],
    "consents": [{"channel": "email", "purpose": "marketing", "attribute": "consent"}],
}
NEW_ATTRIBUTE = {"name": "street", "policy": "union"}
NEW_MEASURE = {"name": "viewed", "measure": "recent", "of": "product_id", "filter": "event_type = 'view'"}
WINDOWS = ("views_7d", "views", "days_events_7d")


class Shop:
    """A small retailer's place: what is delivered, and what its customer 360 shows."""

    def __init__(self, folder: Path) -> None:
        declared = folder / "declared"
        (declared / "sources").mkdir(parents=True)
        segments = (default_conf() / "segments.yml").read_text()
        (declared / "segments.yml").write_text(segments)
        for name, value in {"sources/crm": CRM, "sources/shop": SHOP, "identity": IDENTITY, "profile": PROFILE}.items():
            (declared / f"{name}.yml").write_text(yaml.safe_dump(value))
        self.place = make_place(folder, conf=declared)
        for name in ("crm", "shop"):
            (self.place.landing / name).mkdir(parents=True)

    def deliver(self, source: str, name: str, header: str, *lines: str) -> None:
        (self.place.landing / source / f"{name}.csv").write_text("\n".join((header, *lines)) + "\n")

    def declare(self, **parts: Any) -> None:
        (self.place.conf / "profile.yml").write_text(yaml.safe_dump({**PROFILE, **parts}))

    def run(self, as_of: str) -> None:
        assert self.place.run("run", "--as-of", as_of) == 0

    def shown(self, *columns: str) -> dict[str, tuple[Any, ...]]:
        """Columns of the customer 360, by the value of each profile's anchor."""
        lake = open_lake(self.place.project().settings)
        names = fetch(None, lake, IDENTITIES.name, ("value", "profile_id"), "profile_id = identifier_id").to_pylist()
        rows = fetch(None, lake, "gold.customer_360", tuple(dict.fromkeys(("profile_id", *columns)))).to_pylist()
        by_id = {row["profile_id"]: tuple(row[name] for name in columns) for row in rows}
        return {row["value"]: by_id[row["profile_id"]] for row in names if row["profile_id"] in by_id}


EVENT, RECORD = "id,email,cookie,type,at,product", "id,email,at,city,points,nickname,street,consent"


@pytest.fixture(scope="module")
def story(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ann is in the CRM and looks around; so does a browser that turns out to be hers; a guest without a name does, too."""
    shop, told = Shop(tmp_path_factory.mktemp("profiles")), {}
    shop.deliver("crm", "1", RECORD, "1042,ann@example.com,2017-01-01,Bonn,5,Annie,Ring 1,true")
    shop.deliver(
        "shop",
        "1",
        EVENT,
        "e1,,c1,view,2017-01-01 10:00:00,tea",
        "e2,,c1,view,2017-01-03 10:00:00,milk",
        "e3,ann@example.com,,view,2017-01-02 10:00:00,bread",
        "e4,,,view,2017-01-03 11:00:00,gold",
    )
    shop.run("2017-01-05")
    told["built"] = shop.shown("profile_type", *WINDOWS, "city", "points", "nickname", "consent_email_marketing")
    shop.run("2017-01-09")
    told["quiet day"] = shop.shown(*WINDOWS)
    shop.deliver("shop", "2", EVENT, "e5,ann@example.com,,view,2017-01-04 10:00:00,salt")
    shop.run("2017-01-09")
    told["late event"] = shop.shown(*WINDOWS)
    shop.deliver("shop", "3", EVENT, "e6,ann@example.com,c1,login,2017-01-10 09:00:00,")
    shop.run("2017-01-11")
    told["merge"] = shop.shown(*WINDOWS, "nickname", "city")
    before = _customers(shop)
    shop.declare(attributes=[*PROFILE["attributes"], NEW_ATTRIBUTE], activity=[*PROFILE["activity"], NEW_MEASURE])
    shop.run("2017-01-11")
    told["declared"] = shop.shown("street", "viewed")
    told["left alone"] = (before, _customers(shop))
    at_once = Place(shop.place.conf, shop.place.landing, shop.place.lake.parent / "at_once")
    assert at_once.run("run", "--as-of", "2017-01-11") == 0
    told["day by day"], told["at once"] = _tables(spark, shop.place), _tables(spark, at_once)
    assert shop.place.run("unlink", "email:ann@example.com", "cookie:c1", "--why", "two people") == 0
    shop.run("2017-01-11")
    told["split"] = shop.shown("profile_type", *WINDOWS, "city", "viewed")
    told["shop"] = shop
    return told


def _customers(shop: Shop) -> Any:
    return shop.shown("profile_id", "profile_type", *WINDOWS, "city", "points", "nickname", "first_seen", "last_seen")


def _tables(spark: SparkSession, place: Place) -> dict[str, Any]:
    project, lake = place.project(), open_lake(place.project().settings)
    profile = project.profile
    made = [make(profile) for make in (activity_measures_table, profile_attributes_table, customer_360_table)]
    return {table.name: rows_of(spark, lake, table) for table in (ACTIVITY, CONSENTS, *made)}


def test_known_and_anonymous_profiles_are_in_one_table_and_a_guest_is_nobody(story: dict[str, Any]) -> None:
    assert story["built"] == {
        "1042": ("known", 1, 1, 1, "Bonn", 5, "Annie", True),
        "c1": ("anonymous", 2, 2, 2, None, None, None, None),
    }


def test_a_quiet_day_moves_events_out_of_the_window(story: dict[str, Any]) -> None:
    assert story["quiet day"] == {"1042": (0, 1, 0), "c1": (1, 2, 1)}


def test_a_late_event_is_in_the_windows_of_its_own_day(story: dict[str, Any]) -> None:
    assert story["late event"] == {"1042": (1, 2, 1), "c1": (1, 2, 1)}


def test_a_merge_adds_what_both_did_and_a_value_expires_meanwhile(story: dict[str, Any]) -> None:
    assert story["merge"] == {"1042": (0, 4, 1, None, "Bonn")}


def test_what_is_declared_later_is_filled_and_leaves_other_columns_alone(story: dict[str, Any]) -> None:
    assert story["declared"] == {"1042": (["Ring 1"], ["salt", "milk", "bread", "tea"])}
    before, after = story["left alone"]
    assert before == after


def test_day_by_day_is_what_is_built_at_once(story: dict[str, Any]) -> None:
    assert story["day by day"] == story["at once"]
    assert all(story["at once"].values())


def test_a_split_gives_back_what_was(story: dict[str, Any]) -> None:
    assert story["split"] == {
        "1042": ("known", 0, 2, 1, "Bonn", ["salt", "bread"]),
        "c1": ("anonymous", 0, 2, 0, None, ["milk", "tea"]),
    }


def test_a_type_that_cannot_be_widened_is_told_before_anything_is_written(
    story: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shop = story["shop"]
    shop.declare(attributes=[{"name": "city", "type": "int"}, {"name": "points", "type": "boolean"}])
    shop.deliver("shop", "4", EVENT, "e7,ann@example.com,,view,2017-01-12 10:00:00,salt")
    before = versions(shop.place)
    assert shop.place.run("run", "--as-of", "2017-01-12") == 2
    error = capsys.readouterr().err
    for name, new, old in (("city", "int", "string"), ("points", "boolean", "int")):
        assert f"profile.yml: {name} is declared as {new}, and silver.profile_attributes has it as {old}" in error
    assert versions(shop.place) == before
