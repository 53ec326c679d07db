"""Promise 6, and the way back: two identifiers are explained, a person's decision holds from the next run on, everything
follows, and what is taken back leaves no trace.
"""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.silver import IDENTITIES, IDENTITY_CHANGES
from jobs.runtime.lake import fetch, open_lake
from tests.journeys.lakes import Place, contents, versions
from tests.journeys.shop import customers, open_shop, orders

TOM, SUMMER, GUEST, TABLET = "crm_id:1", "crm_id:2", "email:tom@work.example", "device_id:tablet"
WHY = ("--why", "same person, he called", "--by", "ana")


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Tom and Summer share a tablet, Tom also buys as a guest, and others come and go."""
    place = open_shop(tmp_path_factory.mktemp("decisions"))
    customers(place, "1.csv", ("1", "tom@x.example", "Rome", "2017-01-01"), ("2", "summer@x.example", "Oslo", "2017-01-01"))
    orders(
        place,
        "1.csv",
        (1, "1", "", "tablet", "20.00", "2017-01-02 10:00"),
        (2, "2", "", "tablet", "30.00", "2017-01-03 10:00"),
        (3, "", "", "tablet", "0", "2017-01-03 11:00"),
        (4, "", "Tom@Work.example", "", "50.00", "2017-01-04 10:00"),
        (5, "", "test@test.com", "", "5.00", "2017-01-04 11:00"),
        *((10 + n, f"c{n}", f"c{n}@x.example", "", f"{10 + n}.00", f"2017-01-0{1 + n % 5} 12:00") for n in range(8)),
        *((30 + n, f"c{n}", "", "till", "0", "2017-01-05 12:00") for n in range(9)),
    )
    assert place.run("run") == 0
    return place


def explained(shop: Place, capsys: pytest.CaptureFixture[str], one: str, other: str) -> dict[str, Any]:
    return shop.run_json(capsys, "explain", one, other)


def steps(explanation: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(step["from"], step["to"], step["severed"]) for step in explanation["chain"]]


def profile_of(shop: Place, namespace: str, value: str) -> str:
    where = f"namespace = '{namespace}' AND value = '{value}'"
    (row,) = fetch(None, open_lake(shop.project().settings), IDENTITIES.name, ("profile_id",), where).to_pylist()
    return row["profile_id"]


def rows_of(shop: Place, table: str, columns: tuple[str, ...], profile: str) -> list[dict[str, Any]]:
    lake = open_lake(shop.project().settings)
    return fetch(None, lake, table, columns, f"profile_id = '{profile}'").to_pylist()


def test_one_person_is_explained_by_the_shortest_chain_with_sources_files_and_times(
    shop: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(shop, capsys, "email: SUMMER@x.example", TABLET)
    assert told["verdict"] == "one person"
    assert steps(told) == [("email:s***@x.example", "crm_id:***", None), ("crm_id:***", "device_id:***et", None)]
    first, second = told["chain"]
    assert (first["sources"], first["file"], first["times"]) == (["crm"], "crm/1.csv", 1)
    assert (second["sources"], second["file"], second["last_seen"][:16]) == (["orders"], "orders/1.csv", "2017-01-03 10:00")


def test_a_link_that_a_limit_severs_is_named_with_the_limit(shop: Place, capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(shop, capsys, TOM, SUMMER)
    assert told["verdict"] == "severed"
    assert steps(told) == [("crm_id:***", "device_id:***et", "limit:crm_id"), ("device_id:***et", "crm_id:***", None)]
    assert "a profile may hold 1 crm_id" in told["because"][0]


@pytest.mark.parametrize(
    ("one", "other", "verdict", "because"),
    [
        (TOM, GUEST, "unrelated", "Nothing that was seen connects them"),
        (TOM, "email:test@test.com", "blocked", "email:test@test.com is a placeholder (blocked_value)"),
        (TOM, "email:nobody@x.example", "unknown", "email:nobody@x.example was never seen"),
        ("crm_id:c1", "crm_id:c2", "severed", "a hub: linked to more others than its namespace allows"),
    ],
)
def test_what_is_not_linked_says_why(
    shop: Place, capsys: pytest.CaptureFixture[str], one: str, other: str, verdict: str, because: str
) -> None:
    told = explained(shop, capsys, one, other)
    assert told["verdict"] == verdict
    assert because in " ".join(told["because"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", TOM, "crm_id: 1"), "are the same identifier"),
        (("explain", TOM, "fax:1"), "'fax' is no namespace: expected NAMESPACE:VALUE, with a namespace among crm_id, email"),
        (("link", TOM, "email:null", *WHY), "a placeholder never links"),
        (("revoke", TOM, GUEST, *WHY), "nothing is decided that could be taken back"),
    ],
)
def test_a_question_or_decision_without_sense_is_bad_input(
    shop: Place, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert shop.run(*arguments) == 2
    assert message in capsys.readouterr().err


def test_a_decision_is_previewed_and_nothing_is_noted(shop: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = versions(shop)
    told = shop.run_json(capsys, "link", TOM, GUEST, *WHY, "--dry-run")
    guest, tom = profile_of(shop, "email", "tom@work.example"), profile_of(shop, "crm_id", "1")
    changes = {p["profile_id"]: (p["identifiers_now"], p["identifiers_then"], p["revenue_then"]) for p in told["profiles"]}
    assert changes == {guest: (1, 0, None), tom: (2, 3, "70.00")}
    assert told["rows"] == {"silver.identities": 1, "silver.events": 1, "silver.records": 0, "silver.activity": 1}
    assert all(profile["segment_now"] for profile in told["profiles"])
    assert not told["noted"]
    assert versions(shop) == before


def test_a_link_moves_everything_in_one_run_an_unlink_moves_it_back_and_revoked_it_is_as_it_was(
    spark: SparkSession, shop: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    project, lake = shop.project(), open_lake(shop.project().settings)
    untouched = contents(spark, lake, project)
    guest, tom = profile_of(shop, "email", "tom@work.example"), profile_of(shop, "crm_id", "1")

    assert shop.run("link", TOM, GUEST, *WHY) == 0
    assert shop.run("run") == 0
    assert profile_of(shop, "email", "tom@work.example") == tom
    (rfm,) = rows_of(shop, RFM.name, ("purchases", "revenue"), tom)
    assert (rfm["purchases"], str(rfm["revenue"])) == (2, "70.00")
    assert rows_of(shop, customer_360_table(project.profile).name, ("profile_id",), guest) == []
    history = rows_of(shop, SEGMENT_ASSIGNMENTS.name, ("is_current", "closed_because"), guest)
    assert history == [{"is_current": False, "closed_because": "merged away"}]
    moved = fetch(None, lake, IDENTITY_CHANGES.name, ("from_profile_id", "to_profile_id", "reason")).to_pylist()
    assert {"from_profile_id": guest, "to_profile_id": tom, "reason": "merged"} in moved
    told = explained(shop, capsys, TOM, GUEST)
    assert (told["verdict"], told["chain"][0]["decision"]["why"]) == ("one person", "same person, he called")

    assert shop.run("unlink", TOM, GUEST, *WHY) == 0
    assert shop.run("unlink", TOM, "email:tom@x.example", "--why", "a typing error", "--by", "ana") == 0
    assert shop.run("run") == 0
    assert profile_of(shop, "email", "tom@work.example") == guest
    assert profile_of(shop, "email", "tom@x.example") not in (guest, tom)
    told = explained(shop, capsys, TOM, "email:tom@x.example")
    assert steps(told) == [("crm_id:***", "email:t***@x.example", "unlinked")]
    assert "a person decided that these never are in one profile (ana, " in told["because"][0]

    assert shop.run("revoke", TOM, "email:tom@x.example", *WHY) == 0
    assert shop.run("run") == 0
    assert contents(spark, lake, project) == untouched
    listed = shop.run_json(capsys, "rules")
    assert [(rule["decision"], rule["holds"]) for rule in listed] == [
        ("link", False),
        ("unlink", True),
        ("unlink", False),
        ("revoke", False),
    ]
