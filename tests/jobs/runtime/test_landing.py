from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import Row, SparkSession

from conf.errors import SourceError
from conf.source import Source
from jobs.runtime.landing import check_columns, new_deliveries, read_delivery
from jobs.runtime.session import NANOSECONDS_AS_NUMBERS


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


def rows(spark: SparkSession, landing: Path, kind: str = "csv", held: tuple[str, ...] = ()) -> list[Row]:
    (delivery,) = new_deliveries((source(kind=kind),), str(landing), set())
    read = read_delivery(spark, delivery, datetime(2017, 1, 2, tzinfo=timezone.utc), held)
    return [] if read is None else read.orderBy("_source_file").collect()


def test_files_are_found_in_folders_of_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    land(tmp_path, "till/b.csv", "day\n1\n")
    land(tmp_path, "till/2017/a.csv", "day\n1\n")
    assert paths(tmp_path) == ["till/2017/a.csv", "till/b.csv"]


def test_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    for name in ("till/.part", "till/_SUCCESS", "till/_temporary/a.csv", "till/.git/a.csv", "till/a.csv"):
        land(tmp_path, name, "day\n1\n")
    assert paths(tmp_path) == ["till/a.csv"]


def test_a_known_file_is_not_delivered_again_until_it_changes(tmp_path: Path) -> None:
    path = land(tmp_path, "till/a.csv", "day\n1\n")
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


@pytest.mark.parametrize(("header", "told"), [("card,day,Card", "column 1, 3"), ("card,,day", "column 2")])
def test_a_header_that_names_a_column_twice_or_not_at_all_is_refused(tmp_path: Path, header: str, told: str) -> None:
    land(tmp_path, "till/a.csv", f"{header}\n1,2,3\n")
    with pytest.raises(SourceError, match=rf"till/a.csv: the header names a column twice or not at all: {told}\."):
        paths(tmp_path)


@pytest.mark.parametrize("first", ["ann@x.org,2017-01-01,C1", "ann@x.org,,", "card;DAY"])
def test_a_file_without_its_header_line_is_refused_and_none_of_its_values_told(tmp_path: Path, first: str) -> None:
    land(tmp_path, "till/a.csv", f"{first}\n")
    with pytest.raises(SourceError) as raised:
        paths(tmp_path)
    assert str(raised.value).startswith(f"till/a.csv: its first line, of {len(first.split(','))} column(s), names none of ")
    assert not any(value and value in str(raised.value) for value in first.split(","))


@pytest.mark.parametrize("name", ["_unparsed", "_Metadata", "_change_type"])
def test_a_column_with_a_name_that_the_lake_needs_is_refused(spark: SparkSession, tmp_path: Path, name: str) -> None:
    land(tmp_path, "till/a.csv", f"day,{name}\n2017-01-01,x\n")
    with pytest.raises(SourceError, match=f"till/a.csv: no column can be called {name.lower()};"):
        paths(tmp_path)
    land(tmp_path, "till/b.json", '{"_change_type": 1}').rename(tmp_path / "till" / "a.csv")
    with pytest.raises(SourceError, match="till/: no column can be called _change_type;"):
        rows(spark, tmp_path, "json")


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


def test_a_column_is_one_however_its_name_is_spelled_and_keeps_the_spelling_of_bronze(
    spark: SparkSession, tmp_path: Path
) -> None:
    land(tmp_path, "till/a.csv", "Card_Number,day\nC1,2017-01-01\n")
    land(tmp_path, "till/b.csv", "card_number,Day\nC2,2017-01-02\n")
    assert [(row.Card_Number, row.day) for row in rows(spark, tmp_path)] == [("C1", "2017-01-01"), ("C2", "2017-01-02")]
    held = rows(spark, tmp_path, held=("CARD_NUMBER", "shelf"))
    assert [(row.CARD_NUMBER, row.shelf, row.day) for row in held] == [("C1", None, "2017-01-01"), ("C2", None, "2017-01-02")]


def test_keys_of_json_that_differ_in_case_are_one_column_and_a_row_with_two_values_keeps_its_text(
    spark: SparkSession, tmp_path: Path
) -> None:
    both = '{"card": 3, "Card": 4, "at": {"a": 1}}'
    land(tmp_path, "till/a.json", '{"Card": 1, "lines": [{"sku": "x"}]}\n\n{"card": 2}\n{"card": 2, "Card": "2"}\n')
    land(tmp_path, "till/b.json", f'{both}\n{{"card": 5\n[{{"card": 6}}, {{"card": 7}}]\n')
    found = [(row.Card, row.lines, row._source_file[-6:], row._unparsed) for row in rows(spark, tmp_path, "json")]
    assert sorted(found, key=str) == [
        ("1", '[{"sku":"x"}]', "a.json", None),
        ("2", None, "a.json", None),
        ("2", None, "a.json", None),
        ("4", None, "b.json", both),
        ("6", None, "b.json", None),
        ("7", None, "b.json", None),
        (None, None, "b.json", '{"card": 5'),
    ]


def test_json_of_broken_lines_alone_keeps_their_text(spark: SparkSession, tmp_path: Path) -> None:
    land(tmp_path, "till/a.json", '{"card": 1\n{"card"\n')
    found = [(row.card, row._unparsed) for row in rows(spark, tmp_path, "json", held=("card",))]
    assert sorted(found) == [(None, '{"card"'), (None, '{"card": 1')]


def test_a_name_with_signs_of_a_pattern_is_that_file_and_no_other(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a[2]", "a2", "b*", "{c,d}", "e?"):
        land(tmp_path, f"till/{name}.csv", f"card,day\n{name.replace(',', ';')},2017-01-01\n")
    found = [(row.card, row._source_file) for row in rows(spark, tmp_path)]
    assert sorted(found) == sorted((name.replace(",", ";"), f"till/{name}.csv") for name in ("a[2]", "a2", "b*", "{c,d}", "e?"))


def write_parquet(landing: Path, name: str, **columns: list[Any]) -> None:
    (landing / "till").mkdir(exist_ok=True)
    pd.DataFrame(columns).to_parquet(landing / "till" / name)


def test_parquet_files_may_have_a_column_in_different_types(spark: SparkSession, tmp_path: Path) -> None:
    write_parquet(tmp_path, "a.parquet", card=[1, 2], day=["2017-01-01"] * 2)
    write_parquet(tmp_path, "b.parquet", card=[3, None], Day=["2017-01-02"] * 2)
    write_parquet(tmp_path, "c.parquet", card=["x"])
    found = [(row.card, row.day) for row in rows(spark, tmp_path, "parquet")]
    days = ["2017-01-01", "2017-01-01", "2017-01-02", "2017-01-02", None]
    assert found == list(zip(["1", "2", "3.0", None, "x"], days, strict=True))


def test_times_in_nanoseconds_come_as_their_number_or_the_file_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    write_parquet(tmp_path, "a.parquet", day=[pd.Timestamp("2017-01-01")])
    assert [row.day for row in rows(spark, tmp_path, "parquet")] == ["1483228800000000000"]
    spark.conf.set(NANOSECONDS_AS_NUMBERS, "false")
    try:
        with pytest.raises(SourceError, match=r"till/a.parquet: Spark cannot read its columns .*Write times in microseconds"):
            rows(spark, tmp_path, "parquet")
    finally:
        spark.conf.set(NANOSECONDS_AS_NUMBERS, "true")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    land(tmp_path, "till/a.parquet", "card,day")
    with pytest.raises(SourceError, match=r"till/a.parquet: the footer cannot be read \(ArrowInvalid\)"):
        new_deliveries((source(kind="parquet"),), str(tmp_path), set())


def test_a_mapped_column_that_is_not_there_is_told_with_the_names_that_look_like_names() -> None:
    with pytest.raises(SourceError) as raised:
        check_columns(source(), ["card", "Unit Price", "ann@x.org", "4711", "2017-01-01", "_source_file"])
    assert "`maps.occurred_at` names 'day', but the files in till/ have no such column (they have: Unit Price, card)." in str(
        raised.value
    )
