from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from jobs import cli
from jobs.runtime import session
from tests.jobs.segment_results.lakes import Held, write_history

HISTORY = [
    Held("ann", "New", 0, 10),
    Held("ann", "Loyal", 10, before="New", reason="customer moved"),
    Held("bob", "VIP & friends", 0),
    Held("app", "New", 0, 10),
    Held("cid", "New", 10),
]
BOUGHT = [("bob", -30, 100), ("bob", 5, 60), ("ann", 10, 40)]


@pytest.fixture(autouse=True)
def without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(session, "get_session", refuse)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_history(tmp_path / "lake", HISTORY, moved=[("app", "app", "ann", 10)], bought=BOUGHT)


def segments(lake: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What ``c360 segments`` prints, from 1 to 11 January where nothing else is asked for."""
    dates = () if "--from" in arguments else ("--from", "2017-01-01")
    assert cli.main(["segments", "--lake", str(lake), "--env", "local", *dates, *arguments]) == 0
    return capsys.readouterr().out


def lines_of(text: str, title: str) -> list[list[str]]:
    """The cells of the lines below a title's rule; columns are two blanks or more apart."""
    block = text.split(f"{title}\n\n")[1].split("\n\n", maxsplit=1)[0]
    return [re.split(r"\s{2,}", line.strip()) for line in block.splitlines()[2:]]


def test_sizes_and_money_have_a_line_a_segment_and_one_for_all(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = segments(lake, capsys)
    assert text.startswith("Segments, 2017-01-01 to 2017-01-11\n")
    assert lines_of(text, "Sizes and revenue") == [
        ["VIP & friends", "1", "1", "0.0", "0", "0", "60.0", "0.0", "60.0"],
        ["Loyal", "1", "0", "1", "0", "40.0", "0.0", "40.0"],
        ["New", "1", "2", "-50.0", "1", "2", "0.0", "0.0", "0.0"],
        ["all", "3", "3", "0.0", "1", "1", "100.0", "0.0", "100.0"],
    ]


def test_the_movements_are_a_matrix_and_their_reasons_a_list(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = segments(lake, capsys)
    assert lines_of(text, "From (lines) to (columns), customers") == [
        ["VIP & friends", "1"],
        ["Loyal"],
        ["New", "1", "1"],
        ["(new)", "1"],
    ]
    assert lines_of(text, "What became of customers") == [
        ["stayed", "1"], ["merged", "1"], ["moved", "the customer", "1"], ["new", "1"],
    ]  # fmt: skip


def test_json_has_all_of_it_and_who_it_was_only_where_that_is_asked_for(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads(segments(lake, capsys, "--json"))
    assert (plain["from"], plain["to"], plain["days"]) == ("2017-01-01 23:59:59+00:00", "2017-01-11 20:00:00+00:00", 10)
    assert {(m["from_segment"], m["to_segment"], m["fate"], m["customers"]) for m in plain["movements"]} == {
        ("New", "Loyal", "moved", 1), ("New", None, "merged", 1), (None, "New", "new", 1),
        ("VIP & friends", "VIP & friends", "stayed", 1),
    }  # fmt: skip
    assert plain["who"] == []
    who = json.loads(segments(lake, capsys, "--json", "--who"))["who"]
    assert [(row["profile_id"], row["fate"]) for row in who] == [("cid", "new"), ("app", "merged"), ("ann", "moved")]


def test_csv_files_hold_the_tables(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segments(lake, capsys, "--csv", str(tmp_path / "tables"), "--who")
    files = {path.name: list(csv.DictReader(path.open(encoding="utf-8"))) for path in (tmp_path / "tables").iterdir()}
    assert set(files) == {"sizes.csv", "movements.csv", "fates.csv", "reasons.csv", "who.csv"}
    assert [(row["segment"], row["customers"], row["before"], row["growth %"]) for row in files["sizes.csv"]][2] == (
        "New",
        "1",
        "2",
        "-50.0",
    )
    assert {row["profile_id"] for row in files["who.csv"]} == {"ann", "app", "cid"}
    assert [row["from"] for row in files["movements.csv"]] == ["VIP & friends", "Loyal", "New", "(new)"]


def test_the_page_needs_nothing_but_itself(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segments(lake, capsys, "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"https?:|<script|<link|<img|src=|@import|url\(", page) == []
    assert page.count("<svg") == 4
    assert "VIP &amp; friends" in page
    assert "VIP & friends" not in page
    assert [
        name for name in ("How many", "What they bring", "Where they went", "Why they moved", "Over time") if name not in page
    ] == []


def test_a_page_about_one_date_has_no_movements(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_history(tmp_path / "young", [Held("ann", "New", 0)])
    assert cli.main(["segments", "--lake", str(tmp_path / "young"), "--html", str(tmp_path / "page.html")]) == 0
    assert "there is nothing to compare it with" in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "How many customers" in page
    assert "Where they went" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--from", "2016-12-01"),
            "The history of segments begins on 2017-01-01 (20:00 UTC): who was in which one on 2016-12-01",
        ),
        (("--from", "soon"), "--from: found 'soon'; expected a date"),
        (("--to", "run_time"), "--to: found 'run_time'; expected a date"),
        (("--html", "/proc/nowhere/page.html"), "/proc/nowhere/page.html: cannot be written"),
    ],
)
def test_what_cannot_be_told_is_bad_input(
    lake: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert cli.main(["segments", "--lake", str(lake), *arguments]) == 2
    assert message in capsys.readouterr().err
