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
ANN, BROWSER = "1042", "c1"
BUILT, QUIET, EDGE, BEYOND, LATE, OLDER, MERGED, REPEATED, BUSY, SPLIT = DAYS = tuple(range(5, 15))
"""Ten days of January, on each of which ``c360 run`` is called."""

DELIVERED: dict[int, list[str]] = {
    BUILT: [
        "e1,,c1,view,2017-01-01 10:00:00,tea",
        "e2,,c1,view,2017-01-03 10:00:00,milk",
        "e3,ann@example.com,,view,2017-01-02 10:00:00,bread",
        "e4,,,view,2017-01-03 11:00:00,gold",
    ],
    LATE: ["e5,ann@example.com,,view,2017-01-04 10:00:00,salt"],
    OLDER: ["e6,ann@example.com,,view,2017-01-01 09:00:00,rice"],
    MERGED: ["e7,ann@example.com,c1,login,2017-01-10 09:00:00,"],
    REPEATED: ["e5,ann@example.com,,view,2017-01-04 10:00:00,salt"],
    BUSY: [
        "e8,,c1,view,2017-01-13 08:00:00,jam",
        "e9,,c1,view,2017-01-13 08:01:00,tea",
        "e10,ann@example.com,,view,2017-01-12 20:00:00,oil",
    ],
}


@pytest.fixture(scope="module")
def story(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ann is in the CRM and looks around; so does a browser that turns out to be hers; a guest without a name does, too."""
    shop, told, told_of = Shop(tmp_path_factory.mktemp("profiles")), {}, {}
    shop.deliver("crm", "1", RECORD, "1042,ann@example.com,2017-01-01,Bonn,5,Annie,Ring 1,true")
    for day in DAYS:
        if day in DELIVERED:
            shop.deliver("shop", str(day), EVENT, *DELIVERED[day])
        if day == SPLIT:
            told |= _declared_later(spark, shop)
            assert shop.place.run("unlink", "email:ann@example.com", "cookie:c1", "--why", "two people") == 0
        shop.run(f"2017-01-{day:02}")
        told_of[day] = shop.shown(*WINDOWS)
        told[f"all of {day}"] = shop.shown("profile_type", "city", "points", "nickname", "consent_email_marketing")
    return {**told, "windows": told_of, "viewed": shop.shown("viewed"), "shop": shop}


def _declared_later(spark: SparkSession, shop: Shop) -> dict[str, Any]:
    """One attribute and one measure more, on a lake with history; and the lake beside one that is built at once."""
    before, as_of = _customers(shop), f"2017-01-{BUSY:02}"
    shop.declare(attributes=[*PROFILE["attributes"], NEW_ATTRIBUTE], activity=[*PROFILE["activity"], NEW_MEASURE])
    shop.run(as_of)
    at_once = Place(shop.place.conf, shop.place.landing, shop.place.lake.parent / "at_once")
    assert at_once.run("run", "--as-of", as_of) == 0
    return {
        "declared": shop.shown("street", "viewed"),
        "left alone": (before, _customers(shop)),
        "day by day": _tables(spark, shop.place),
        "at once": _tables(spark, at_once),
    }


def _recomputed(day: int) -> dict[str, tuple[int, ...]]:
    """Views of the last seven days and of all, and events of the last seven days, from the lines that had come by then."""
    lines = {line for came, those in DELIVERED.items() if came <= day for line in those}
    happened: dict[str, list[tuple[int, str]]] = {ANN: [], **({} if MERGED <= day < SPLIT else {BROWSER: []})}
    for line in lines:
        _, email, cookie, kind, at, _ = line.split(",")
        whose = ANN if email or (cookie and MERGED <= day < SPLIT) else BROWSER if cookie else None
        if whose:
            happened[whose].append((int(at[8:10]), kind))
    return {
        whose: (
            sum(kind == "view" and on > day - 7 for on, kind in those),
            sum(kind == "view" for _, kind in those),
            sum(on > day - 7 for on, _ in those),
        )
        for whose, those in happened.items()
    }


def _customers(shop: Shop) -> Any:
    return shop.shown("profile_id", "profile_type", *WINDOWS, "city", "points", "nickname", "first_seen", "last_seen")


def _tables(spark: SparkSession, place: Place) -> dict[str, Any]:
    project, lake = place.project(), open_lake(place.project().settings)
    profile = project.profile
    made = [make(profile) for make in (activity_measures_table, profile_attributes_table, customer_360_table)]
    return {table.name: rows_of(spark, lake, table) for table in (ACTIVITY, CONSENTS, *made)}


def test_known_and_anonymous_profiles_are_in_one_table_and_a_guest_is_nobody(story: dict[str, Any]) -> None:
    assert story[f"all of {BUILT}"] == {
        ANN: ("known", "Bonn", 5, "Annie", True),
        BROWSER: ("anonymous", None, None, None, None),
    }


@pytest.mark.parametrize("day", DAYS)
def test_the_windows_of_each_day_are_those_of_a_recompute(story: dict[str, Any], day: int) -> None:
    assert story["windows"][day] == _recomputed(day)


def test_the_days_are_what_they_are_meant_to_be(story: dict[str, Any]) -> None:
    windows = story["windows"]
    assert windows[QUIET] == windows[BUILT]
    assert (windows[EDGE][BROWSER], windows[BEYOND][BROWSER]) == ((2, 2, 2), (1, 2, 1))
    assert windows[LATE][ANN] == (1, 2, 1)
    assert windows[OLDER][ANN] == (1, 3, 1)
    assert windows[REPEATED][ANN] == (0, 5, 1)
    assert windows[MERGED].keys() == {ANN}


def test_a_merge_keeps_what_is_known_and_a_value_expires_meanwhile(story: dict[str, Any]) -> None:
    assert story[f"all of {OLDER}"][ANN] == ("known", "Bonn", 5, "Annie", True)
    assert story[f"all of {MERGED}"] == {ANN: ("known", "Bonn", 5, None, True)}


def test_what_is_declared_later_is_filled_and_leaves_other_columns_alone(story: dict[str, Any]) -> None:
    assert story["declared"] == {ANN: (["Ring 1"], ["tea", "jam", "oil", "salt", "milk"])}
    before, after = story["left alone"]
    assert before == after


def test_day_by_day_is_what_is_built_at_once(story: dict[str, Any]) -> None:
    assert story["day by day"] == story["at once"]
    assert all(story["at once"].values())


def test_a_split_gives_back_what_was(story: dict[str, Any]) -> None:
    assert story[f"all of {SPLIT}"] == {
        ANN: ("known", "Bonn", 5, None, True),
        BROWSER: ("anonymous", None, None, None, None),
    }
    assert story["viewed"] == {ANN: (["oil", "salt", "bread", "rice"],), BROWSER: (["tea", "jam", "milk"],)}


def test_a_type_that_cannot_be_widened_is_told_before_anything_is_written(
    story: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shop = story["shop"]
    shop.declare(attributes=[{"name": "city", "type": "int"}, {"name": "points", "type": "boolean"}])
    shop.deliver("shop", "more", EVENT, "e11,ann@example.com,,view,2017-01-15 10:00:00,salt")
    before = versions(shop.place)
    assert shop.place.run("run", "--as-of", "2017-01-15") == 2
    error = capsys.readouterr().err
    for name, new, old in (("city", "int", "string"), ("points", "boolean", "int")):
        assert f"profile.yml: {name} is declared as {new}, and silver.profile_attributes has it as {old}" in error
    assert versions(shop.place) == before
