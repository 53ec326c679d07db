from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.identity import IdentityConfig
from conf.segments import Currency
from conf.source import Source
from conf.tables.silver import EVENTS, QUARANTINE, RECORDS
from transforms.sources.standardise import accepted, quarantined, standardise, winning_versions

IDENTITY = IdentityConfig.model_validate(
    {"namespaces": [{"name": "card"}, {"name": "email", "normalise": "email"}], "blocked": {"values": ["0"]}}
)
TILL = {
    "source": "till",
    "kind": "events",
    "path": "till/",
    "format": "csv",
    "maps": {
        "event_id": "id",
        "event_type": "type",
        "occurred_at": "cast(at as timestamp)",
        "quantity": "try_cast(pieces as decimal(18,3))",
        "revenue": "cast(amount as decimal(18,2))",
        "version": "revision",
        "shelf": "upper(shelf)",
        "aisle": "aisle",
    },
    "identifiers": [{"namespace": "email", "value": "email"}, {"namespace": "card", "value": "card"}],
    "expect": [{"name": "not_free", "check": "revenue <> 0"}],
}
GOOD = {
    "id": "e1", "type": "purchase", "at": "2017-01-02 10:00:00", "pieces": "2", "amount": "3.50", "revision": "1", "shelf": "a7",
    "aisle": None, "card": "C1", "email": " Ann@x.org ", "_row_hash": "h1", "_row_ordinal": 1, "_source_file": "till/1.csv",
    "_ingested_at": datetime(2017, 1, 3, tzinfo=timezone.utc), "_unparsed": None, "_salt": "s",
}  # fmt: skip
TYPES = {"_row_ordinal": "int", "_ingested_at": "timestamp"}
SCHEMA = ", ".join(f"{name} {TYPES.get(name, 'string')}" for name in GOOD)


def till(**changes: Any) -> Source:
    return Source.model_validate({**TILL, **changes})


def standardised(
    spark: SparkSession, *changes: dict[str, Any], source: Source | None = None, currency: Currency | None = None
) -> DataFrame:
    """A good row for each of ``changes``, changed; a time may lie one day beyond its ingestion."""
    rows = [tuple({**GOOD, **change}.values()) for change in changes]
    return standardise(spark.createDataFrame(rows, SCHEMA), source or till(), IDENTITY, 86_400, currency)


def test_a_good_row_is_mapped_to_the_standard_schema(spark: SparkSession) -> None:
    events = accepted(standardised(spark, {}), till())
    assert events.columns == list(EVENTS.column_names)
    row = events.withColumn("occurred_at", F.date_format("occurred_at", "yyyy-MM-dd HH:mm")).collect()[0].asDict()
    told = {name: value for name, value in row.items() if value is not None and name != "identifiers"}
    assert told.pop("primary_identifier_id") == row["identifiers"][0].identifier_id
    assert told == {
        "event_id": "e1", "source": "till", "row_hash": "h1", "row_ordinal": 1, "event_type": "purchase",
        "occurred_at": "2017-01-02 10:00", "occurred_on": date(2017, 1, 2), "quantity": Decimal("2.000"),
        "revenue": Decimal("3.50"), "version": 1, "attributes": {"shelf": "A7"},
    }  # fmt: skip


def test_a_raw_column_called_salt_is_one_like_any_other(spark: SparkSession) -> None:
    source = till(maps={**TILL["maps"], "brand": "salt"})
    rows = standardise(spark.createDataFrame([(*GOOD.values(), "sea")], f"{SCHEMA}, salt string"), source, IDENTITY, 86_400)
    row, other = accepted(rows, source).collect()[0], accepted(standardised(spark, {}), till()).collect()[0]
    assert (row.brand, row.identifiers) == ("sea", other.identifiers)


def test_identifiers_are_normalised_the_strongest_first_and_blocked_ones_are_never_primary(spark: SparkSession) -> None:
    row = accepted(standardised(spark, {"card": "0"}), till()).collect()[0]
    found = [(one.namespace, one.value, one.blocked) for one in row.identifiers]
    assert found == [("card", "0", "blocked_value"), ("email", "ann@x.org", None)]
    assert row.primary_identifier_id == row.identifiers[1].identifier_id


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a good row": ({}, []),
    "a time that does not read": ({"at": "soon"}, ["cannot_parse:occurred_at", "no_time"]),
    "no time": ({"at": None}, ["no_time"]),
    "a time beyond the tolerance": ({"at": "2017-01-04 00:00:01"}, ["in_the_future"]),
    "a time within the tolerance": ({"at": "2017-01-04 00:00:00"}, []),
    "no id": ({"id": None}, ["no_id"]),
    "no type": ({"type": None}, ["no_event_type"]),
    "an amount that does not read": ({"amount": "x"}, ["cannot_parse:revenue", "not_free"]),
    "an amount too large for its type": ({"amount": "1" + "0" * 17}, ["cannot_parse:revenue", "not_free"]),
    "a rule that is broken": ({"amount": "0.00"}, ["not_free"]),
    "a rule that is neither true nor false": ({"amount": None}, ["not_free"]),
    "pieces that need not read": ({"pieces": "x"}, []),
    "a version that does not fit its type": ({"revision": "1.x"}, ["cannot_parse:version"]),
    "a row that the format cannot read": ({"_unparsed": "a,b", "id": None, "at": None}, ["unparsed"]),
    "several at once": ({"id": None, "type": None, "at": None}, ["no_time", "no_id", "no_event_type"]),
}


def test_a_row_is_refused_with_every_reason(spark: SparkSession) -> None:
    changes = [{**change, "_source_file": name} for name, (change, _) in REFUSED.items()]
    found = {row._source_file: row.reasons for row in standardised(spark, *changes).collect()}
    assert found == {name: reasons for name, (_, reasons) in REFUSED.items()}


CONVERTED: dict[str, tuple[dict[str, Any], str | None, str | None, list[str]]] = {
    "the lake's own": ({"shelf": "USD"}, "3.50", "2", []),
    "the lake's own in small letters": ({"shelf": " usd "}, "3.50", "2", []),
    "none named": ({"shelf": None}, "3.50", "2", []),
    "a blank": ({"shelf": " "}, "3.50", "2", []),
    "a margin that does not read": ({"shelf": "EUR", "pieces": "x"}, "3.94", "x", []),
    "a margin that is too much": ({"shelf": "EUR", "pieces": "9" * 16}, "3.94", None, ["cannot_parse:margin"]),
    "another one, rounded half up": ({"shelf": "EUR", "amount": "3.49"}, "3.93", "2.25", []),
    "money back": ({"shelf": "EUR", "amount": "-3.49"}, "-3.93", "2.25", []),
    "one without a rate": ({"shelf": "CHF"}, None, None, ["no_rate_of_currency", "not_free"]),
    "too much when it is converted": ({"shelf": "EUR", "amount": "9" * 16}, None, "2.25", ["cannot_parse:revenue", "not_free"]),
}


def test_money_is_converted_by_the_declared_rates(spark: SparkSession) -> None:
    maps = {**TILL["maps"], "currency": "shelf", "margin": "pieces"}
    changes = [{**change, "_source_file": name} for name, (change, *_) in CONVERTED.items()]
    currency = Currency.model_validate({"name": "USD", "rates": {"EUR": 1.125}})
    rows = standardised(spark, *changes, source=till(maps=maps), currency=currency).collect()
    found = {row._source_file: (row.revenue, row.attributes.get("margin"), row.reasons) for row in rows}
    expected = {name: (money and Decimal(money), margin, reasons) for name, (_, money, margin, reasons) in CONVERTED.items()}
    for name, (money, margin, reasons) in expected.items():
        assert found[name] == (money, margin, reasons), name


def test_only_money_needs_a_rate(spark: SparkSession) -> None:
    currency = Currency(name="USD")
    maps = {**TILL["maps"], "currency": "shelf"}
    free = till(maps={name: text for name, text in maps.items() if name != "revenue"}, expect=[])
    assert [row.reasons for row in standardised(spark, {"shelf": "CHF"}, source=free, currency=currency).collect()] == [[]]
    crm = till(kind="records", maps={"observed_at": maps["occurred_at"], "currency": "shelf"}, expect=[])
    (row,) = accepted(standardised(spark, {"shelf": "CHF"}, source=crm, currency=currency), crm).collect()
    assert row.attributes == {"currency": "CHF"}


def test_without_a_declared_currency_money_stays_as_it_comes(spark: SparkSession) -> None:
    source = till(maps={**TILL["maps"], "currency": "shelf"})
    (row,) = accepted(standardised(spark, {"shelf": "CHF"}, source=source), source).collect()
    assert (row.revenue, row.currency) == (Decimal("3.50"), "CHF")


def test_a_value_that_a_function_cannot_take_is_a_reason_not_the_end_of_the_job(spark: SparkSession) -> None:
    maps = {**TILL["maps"], "shelf": "left(shelf, pieces)", "aisle": "hour(at)", "age": "try_cast(aisle as int) + 1"}
    rows = standardised(spark, {}, {"pieces": "x"}, {"at": "x"}, {"aisle": "x"}, source=till(maps=maps)).collect()
    assert [row.attributes for row in rows[:2]] == [{"shelf": "a7", "aisle": "10"}, {"aisle": "10"}]
    late = ["cannot_parse:occurred_at", "cannot_parse:aisle", "no_time"]
    assert [row.reasons for row in rows] == [[], ["cannot_parse:shelf"], late, []]


def test_every_row_is_accepted_or_quarantined_whole(spark: SparkSession) -> None:
    rows = standardised(spark, {}, {"type": None, "_row_hash": "h2"})
    assert [row.row_hash for row in accepted(rows, till()).collect()] == ["h1"]
    waiting = quarantined(rows, till())
    assert waiting.columns == list(QUARANTINE.column_names)
    row = waiting.collect()[0]
    assert (row.source, row.row_hash, row.source_file, row.reasons) == ("till", "h2", "till/1.csv", ["no_event_type"])
    assert '"amount":"3.50"' in row.raw_row
    assert "salt" not in row.raw_row


def test_a_row_that_the_format_cannot_read_waits_as_its_own_text(spark: SparkSession) -> None:
    rows = quarantined(standardised(spark, {"_unparsed": "what,it;said"}), till())
    assert [(row.raw_row, row.reasons) for row in rows.collect()] == [("what,it;said", ["unparsed"])]


def test_a_row_without_a_mapped_id_is_its_own_event(spark: SparkSession) -> None:
    source = till(maps={"event_type": "type", "occurred_at": "cast(at as timestamp)"}, expect=[])
    rows = accepted(standardised(spark, {}, {"_row_ordinal": 2}, source=source), source)
    assert sorted(row.event_id for row in rows.collect()) == ["h1-1", "h1-2"]
    assert winning_versions(rows, source) is rows


def test_a_record_keeps_its_attributes_by_name_without_nulls(spark: SparkSession) -> None:
    maps = {"record_id": "id", "observed_at": "cast(at as timestamp)", "shelf": "shelf", "aisle": "aisle"}
    source = till(kind="records", maps=maps, expect=[])
    records = accepted(standardised(spark, {}, source=source), source)
    assert records.columns == list(RECORDS.column_names)
    assert [(row.record_id, row.attributes) for row in records.collect()] == [("e1", {"shelf": "a7"})]


@pytest.mark.parametrize(
    ("rivals", "winner"),
    [
        ([{"revision": "1", "_row_hash": "z"}, {"revision": "2", "_row_hash": "a"}], "a"),
        ([{"revision": None, "_row_hash": "z"}, {"revision": "1", "_row_hash": "a"}], "a"),
        ([{"revision": "1", "_row_hash": "a"}, {"revision": "1", "_row_hash": "b"}], "b"),
    ],
)
def test_of_one_id_the_highest_version_wins_then_the_highest_row(
    spark: SparkSession, rivals: list[dict[str, Any]], winner: str
) -> None:
    other = {"id": "e2", "_row_hash": "other"}
    rows = accepted(standardised(spark, *rivals, other), till())
    assert sorted((row.event_id, row.row_hash) for row in winning_versions(rows, till()).collect()) == [
        ("e1", winner),
        ("e2", "other"),
    ]
