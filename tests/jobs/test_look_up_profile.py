"""``c360 lookup`` on a lake of literal rows. No session is to be had."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conf.tables.ops import ACCESS_LOG, RUNS
from conf.tables.silver import IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS, SEVERED_KEPT
from jobs import cli
from jobs.look_up_profile import Lookup
from jobs.lookup.tables import FileTables
from jobs.runtime import session
from jobs.runtime.lake import Lake, append_to_files, read_rows
from tests.jobs.lookup.few_rows import ANA, CARD, COOKIE, MAIL, PROJECT, TABLET, day, few_rows, identity, link, row, the_id

PATIENCE = 60  # seconds; only a bound for a test that would otherwise wait for ever


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(few_rows(tmp_path_factory.mktemp("lake")))


@pytest.fixture(autouse=True)
def without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(session, "get_session", refuse)


@pytest.fixture
def ask(lake: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """``c360 lookup`` with these arguments: its exit code, and what it printed as JSON, or its error."""

    def asked(*arguments: str, where: str | None = None) -> tuple[int, Any]:
        code = cli.main(["lookup", *arguments, "--lake", where or str(lake), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return asked


@pytest.mark.parametrize("who", ["crm_id:1042", "loyalty_id:lc-0001", "email: ANA@example.com", "cookie_id:c-1", ANA, COOKIE])
def test_a_profile_is_found_by_any_identifier_and_by_any_id_it_ever_had(ask: Any, who: str) -> None:
    code, profile = ask(who)
    assert (code, profile["profile_id"]) == (0, ANA)
    assert [event["event_id"] for event in profile["events"]] == ["e1", "e2", "e3"]


def test_an_id_that_moved_says_from_where_and_when(ask: Any) -> None:
    (moved,) = ask(COOKIE)[1]["moves"]
    assert (moved["from_profile_id"], moved["to_profile_id"], moved["reason"]) == (COOKIE, ANA, "merged")
    assert ask(ANA)[1]["moves"] == []


@pytest.mark.parametrize(
    ("who", "at", "holder", "hops"),
    [
        (0, None, ANA, [(0, 1), (1, COOKIE), (COOKIE, ANA)]),
        (1, None, ANA, [(1, COOKIE), (COOKIE, ANA)]),
        (0, "2017-01-04T18:00:00", COOKIE, [(0, 1), (1, COOKIE)]),
        (0, "2017-01-03T18:00:00", 1, [(0, 1)]),
    ],
)
def test_an_id_whose_own_identifier_is_gone_leads_to_who_went_on_as_it(
    ask: Any, tmp_path: Path, who: int, at: str | None, holder: str | int, hops: list[tuple[str | int, str | int]]
) -> None:
    lake, mails = few_rows(tmp_path), [the_id("email", f"{typo}@example.com") for typo in ("anna", "annna")]

    def ids(*ends: str | int) -> tuple[str, ...]:
        return tuple(mails[end] if isinstance(end, int) else end for end in ends)

    def left(own: str, profile: str, to: str | None, on: int) -> dict[str, Any]:
        ends = {"identifier_id": own, "from_profile_id": profile, "to_profile_id": to}
        return row(IDENTITY_CHANGES, **ends, changed_at=day(on), reason="removed" if to is None else "reanchored")

    corrected = [
        left(own, gone, to, on)
        for gone, after, on in ((mails[0], mails[1], 3), (mails[1], COOKIE, 4))
        for own, to in ((gone, None), (COOKIE, after))
    ]
    earlier = left(TABLET, mails[0], TABLET, 2)  # who left before the end is no heir
    append_to_files(f"{lake}/silver/identity_changes", IDENTITY_CHANGES, [*corrected, earlier])
    code, profile = ask(*ids(who), *(("--at", at) if at else ()), where=str(lake))
    assert (code, profile["profile_id"]) == (0, *ids(holder))
    assert [(move["from_profile_id"], move["to_profile_id"]) for move in profile["moves"]] == [ids(*hop) for hop in hops]
    assert ask("email:anna@example.com", where=str(lake))[0] == 1


def test_a_severed_link_is_told_at_both_of_its_ends_and_no_link_twice(ask: Any) -> None:
    anas, bens = (ask(who)[1]["links"] for who in ("crm_id:1042", "crm_id:2000"))
    severed = (CARD, TABLET, "limit:crm_id")
    assert [(link["identifier_id"], link["other_identifier_id"], link["severed"]) for link in bens] == [severed]
    ends = [(link["identifier_id"], link["other_identifier_id"], link["severed"]) for link in anas]
    assert sorted(ends) == sorted({(ANA, CARD, None), (ANA, MAIL, None), (CARD, COOKIE, None), severed})


@pytest.mark.parametrize("kept", [SEVERED_KEPT, None])
def test_a_hub_tells_all_of_its_links_and_so_does_whoever_does_not_know_where_they_come_from(
    ask: Any, tmp_path: Path, kept: int | None
) -> None:
    till, lake = ("device_id", "till"), few_rows(tmp_path)
    links = [link(("crm_id", f"3{n:03}"), till, severed="hub") for n in range(SEVERED_KEPT + 5)]
    starts = sorted(link["identifier_id"] for link in links)
    hub = identity(*till, the_id(*till), "hub") | {"severed_from": starts[:kept] if kept else None}
    append_to_files(f"{lake}/silver/identity_links", IDENTITY_LINKS, links)
    append_to_files(f"{lake}/silver/identities", IDENTITIES, [hub])
    assert sorted(told["identifier_id"] for told in ask("device_id:till", where=str(lake))[1]["links"]) == starts


def test_on_a_past_day_it_is_who_it_was_then(ask: Any) -> None:
    before, after = ask("cookie_id:c-1", "--at", "2017-01-04")[1], ask("cookie_id:c-1", "--at", "2017-01-07")[1]
    assert (before["profile_id"], [row["namespace"] for row in before["identifiers"]]) == (COOKIE, ["cookie_id"])
    assert [event["event_id"] for event in before["events"]] == ["e1"]
    assert (after["profile_id"], len(after["identifiers"]), after["segments"]) == (ANA, 4, [])
    assert [event["event_id"] for event in after["events"]] == ["e1", "e2"]


def test_nobody_is_known_before_they_were_seen(ask: Any) -> None:
    code, told = ask("email:ana@example.com", "--at", "2017-01-02")
    assert (code, told["error"]) == (1, "Nobody was known by this email yet on 2017-01-02.")


def test_so_many_last_events_as_are_asked_for(ask: Any) -> None:
    assert [event["event_id"] for event in ask(ANA, "--events", "2")[1]["events"]] == ["e2", "e3"]
    assert ask(ANA, "--events", "0")[1]["events"] == []


def test_a_stranger_is_no_bad_input(ask: Any) -> None:
    assert ask("email:nobody@example.org") == (1, {"error": "Nobody is known by this email.", "exit_code": 1})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("email:test@test.com",), "This email is a placeholder"),
        (("fax:1",), "expected NAMESPACE:VALUE"),
        ((ANA, "--reveal"), "--reveal needs --why TEXT"),
        ((ANA, "--reveal", "--why", " "), "--reveal needs --why TEXT"),
        ((ANA, "--at", "yesterday"), "--at: found 'yesterday'; expected a date"),
        ((ANA, "--events", "-1"), "--events: found -1"),
    ],
)
def test_a_question_that_is_not_well_put_is_bad_input(ask: Any, arguments: tuple[str, ...], told: str) -> None:
    code, answer = ask(*arguments)
    assert code == 2
    assert told in answer["error"]


def test_where_there_is_no_lake_none_is_made(ask: Any, tmp_path: Path) -> None:
    code, answer = ask(ANA, where=str(tmp_path / "none"))
    assert (code, answer["error"]) == (2, f"There is no lake at {tmp_path / 'none'} yet.")
    assert not (tmp_path / "none").exists()


def test_who_saw_whose_personal_values_and_why_is_recorded(ask: Any, lake: Path) -> None:
    _, profile = ask("cookie_id:c-1", "--reveal", "--why", "ticket 7", "--as", "kim")
    assert "ana@example.com" in str(profile)
    (seen,) = (row for row in read_rows(None, Lake(str(lake)), ACCESS_LOG) if row["why"] == "ticket 7")
    assert (seen["accessed_by"], seen["profile_id"], seen["asked_by"], seen["why"]) == ("kim", ANA, "cookie_id", "ticket 7")
    before = read_rows(None, Lake(str(lake)), ACCESS_LOG)
    ask(ANA)
    assert read_rows(None, Lake(str(lake)), ACCESS_LOG) == before


def test_no_personal_value_is_in_the_log_of_the_access_log(ask: Any, lake: Path) -> None:
    ask(ANA, "--reveal", "--why", "Ana asked for it", "--as", "kim")
    text = "".join(path.read_text() for path in (lake / "ops" / "access_log" / "_delta_log").glob("*.json"))
    assert [value for value in ("kim", "Ana asked") if value in text] == []


def test_what_cannot_be_recorded_is_not_shown(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(FileTables, "append", full)
    code, answer = ask(ANA, "--reveal", "--why", "ticket 8")
    assert code == 1
    assert "ana@example.com" not in str(answer)


def test_a_terminal_gets_the_same_as_text(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lookup", COOKIE, "--lake", str(lake)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Profile {ANA}, known, as of 2017-01-11 12:00\nMoved: this id went from {COOKIE} to {ANA} on ")
    for title in ("Attributes", "Identifiers and links", "Consent", "Activity", "RFM", "Segments", "Last events"):
        assert f"\n\n{title}\n" in text


@pytest.fixture
def object_storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a server that speaks S3. It is a process of its own: delta-rs waits for it with Python's lock held."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    for name, value in {"ENDPOINT_URL": address, "ALLOW_HTTP": "true", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of no value")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of no value")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _make_bucket(f"{address}/lakes")
        yield "s3://lakes/shop"
    finally:
        server.kill()
        server.wait()


def _make_bucket(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while not _answers(address):
        assert time.monotonic() < end, "the server never answered"
        time.sleep(0.1)


def _answers(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(urllib.request.Request(address, method="PUT")):
        return True
    return False


@pytest.mark.cluster
def test_a_lake_may_lie_in_object_storage(ask: Any, object_storage: str) -> None:
    few_rows(object_storage)
    assert ask(CARD, where=object_storage)[1]["profile_id"] == ANA
    assert "ana@example.com" in str(ask(CARD, "--reveal", "--why", "ticket 9", "--as", "kim", where=object_storage))
    assert [row["why"] for row in FileTables(object_storage).rows(ACCESS_LOG.name, ("why",), "true")] == ["ticket 9"]


def test_a_process_that_goes_on_sees_what_was_committed_once_it_looks(tmp_path: Path) -> None:
    root = Path(few_rows(tmp_path))
    lookup = Lookup(PROJECT, FileTables(str(root)))
    before = lookup.profile_of(ANA)
    append_to_files(str(root / "silver" / "identities"), IDENTITIES, [identity("phone", "+15550104477", ANA, "linked")])
    assert lookup.profile_of(ANA) == before
    lookup.refresh()
    assert len(lookup.profile_of(the_id("phone", "+15550104477")).identifiers) == len(before.identifiers) + 1


@pytest.mark.parametrize("is_first", [True, False])
def test_a_process_that_goes_on_counts_recency_from_the_day_of_the_latest_run(tmp_path: Path, is_first: bool) -> None:
    root = Path(few_rows(tmp_path))
    if is_first:
        shutil.rmtree(root / "ops" / "runs")
    lookup = Lookup(PROJECT, FileTables(str(root)))
    assert lookup.profile_of(ANA).as_of == (None if is_first else day(11))
    of_assigning = {"stage": "assign-segments", "outcome": "done"}
    for run_id, started, as_of in (("2", 13, 12), ("3", 14, 9)):  # the second went back to an earlier day
        last = row(RUNS, run_id=run_id, started_at=day(started), as_of=day(as_of), **of_assigning)
        append_to_files(str(root / "ops" / "runs"), RUNS, [last])
        lookup.refresh()
        assert lookup.profile_of(ANA).as_of == day(as_of)
