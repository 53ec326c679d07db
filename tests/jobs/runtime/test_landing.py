from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from conf.errors import SourceError
from conf.source import Source
from jobs.runtime.landing import new_deliveries, read_delivery


def source(name: str = "till", kind: str = "csv") -> Source:
    maps = {"event_type": "'purchase'", "occurred_at": "cast(day as timestamp)"}
    return Source(source=name, kind="events", path=f"{name}/", format=kind, options={"header": True}, maps=maps)


def land(landing: Path, name: str, text: str) -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def paths(landing: Path, known: set[tuple[str, str, int, int]] | None = None) -> list[str]:
    return [file.path for delivery in new_deliveries((source(),), str(landing), known or set()) for file in delivery.files]


def rows(spark: SparkSession, landing: Path, kind: str = "csv") -> list[Row]:
    (delivery,) = new_deliveries((source(kind=kind),), str(landing), set())
    read = read_delivery(spark, delivery, datetime(2017, 1, 2, tzinfo=timezone.utc))
    return [] if read is None else read.orderBy("_source_file").collect()


def test_files_are_found_in_folders_of_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    land(tmp_path, "till/b.csv", "card\n1\n")
    land(tmp_path, "till/2017/a.csv", "card\n1\n")
    assert paths(tmp_path) == ["till/2017/a.csv", "till/b.csv"]


def test_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    for name in ("till/.part", "till/_SUCCESS", "till/_temporary/a.csv", "till/.git/a.csv", "till/a.csv"):
        land(tmp_path, name, "card\n1\n")
    assert paths(tmp_path) == ["till/a.csv"]


def test_a_known_file_is_not_delivered_again_until_it_changes(tmp_path: Path) -> None:
    path = land(tmp_path, "till/a.csv", "card\n1\n")
    (delivery,) = new_deliveries((source(),), str(tmp_path), set())
    known = {file.key for file in delivery.files}
    assert paths(tmp_path, known) == []
    os.utime(path, (1_500_000_000, 1_500_000_000))
    assert paths(tmp_path, known) == ["till/a.csv"]


def test_an_empty_folder_delivers_nothing(tmp_path: Path) -> None:
    (tmp_path / "till").mkdir()
    assert new_deliveries((source(),), str(tmp_path), set()) == []


def test_missing_folders_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "till").mkdir()
    with pytest.raises(SourceError) as raised:
        new_deliveries((source(), source("web"), source("shop")), str(tmp_path), set())
    assert str(raised.value).startswith(f"The landing area lacks 2 declared folder(s): {tmp_path}/web/, {tmp_path}/shop/.")


@pytest.mark.parametrize(("header", "told"), [("card,day,Card", r"\['Card', 'card'\]"), ("card,,day", r"\[''\]")])
def test_a_header_that_names_a_column_twice_or_not_at_all_is_refused(tmp_path: Path, header: str, told: str) -> None:
    land(tmp_path, "till/a.csv", f"{header}\n1,2,3\n")
    with pytest.raises(SourceError, match=rf"till/a.csv: the header names a column twice or not at all: {told}"):
        paths(tmp_path)


def test_files_are_grouped_by_header_and_empty_ones_have_none(tmp_path: Path) -> None:
    land(tmp_path, "till/a.csv", "card,day\n")
    land(tmp_path, "till/b.csv", "\ufeffday, card\n")
    land(tmp_path, "till/c.csv", "")
    (delivery,) = new_deliveries((source(),), str(tmp_path), set())
    assert delivery.headers == {("card", "day"): ("till/a.csv",), ("day", "card"): ("till/b.csv",)}
    assert [file.path for file in delivery.files] == ["till/a.csv", "till/b.csv", "till/c.csv"]


def test_columns_are_matched_by_name_whatever_their_order(spark: SparkSession, tmp_path: Path) -> None:
    land(tmp_path, "till/a.csv", "card,day\nC1,2017-01-01\n")
    land(tmp_path, "till/b.csv", "day,card,colour\n2017-01-02,C2,red\n")
    found = [(row.card, row.day, row.colour, row._source_file, row._unparsed) for row in rows(spark, tmp_path)]
    assert found == [("C1", "2017-01-01", None, "till/a.csv", None), ("C2", "2017-01-02", "red", "till/b.csv", None)]


def test_a_row_that_does_not_fit_the_header_keeps_its_text(spark: SparkSession, tmp_path: Path) -> None:
    land(tmp_path, "till/a.csv", "card,day\nC1,2017-01-01,more\n")
    assert [row._unparsed for row in rows(spark, tmp_path)] == ["C1,2017-01-01,more"]


def test_files_that_are_all_empty_have_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    land(tmp_path, "till/a.csv", "")
    assert rows(spark, tmp_path) == []


def test_a_files_name_is_kept_letter_by_letter(spark: SparkSession, tmp_path: Path) -> None:
    land(tmp_path, "till/a +b%20.csv", "card,day\nC1,2017-01-01\n")
    assert [row._source_file for row in rows(spark, tmp_path)] == ["till/a +b%20.csv"]


def test_json_is_text_by_name_and_a_broken_line_keeps_its_text(spark: SparkSession, tmp_path: Path) -> None:
    land(tmp_path, "till/a.json", '{"card": 1, "lines": [{"sku": "x"}]}\n{"card": 2\n')
    found = sorted((row.card or "", row.lines, row._unparsed) for row in rows(spark, tmp_path, "json"))
    assert found == [("", None, '{"card": 2'), ("1", '[{"sku":"x"}]', None)]
