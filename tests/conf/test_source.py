from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.source import EVENT_COLUMNS, RECORD_COLUMNS, STANDARD_KINDS, Source
from conf.tables.silver import EVENTS, RECORDS


def source(**changes: Any) -> Source:
    smallest = {
        "source": "till",
        "kind": "events",
        "path": "till/",
        "format": "csv",
        "maps": {"event_type": "'purchase'", "occurred_at": "cast(at as timestamp)"},
    }
    return Source.model_validate({**smallest, **changes})


def test_the_kinds_of_standard_columns_are_those_of_the_contracts() -> None:
    kinds = {"string": "text", "timestamp": "timestamp", "bigint": "bigint"}
    for table, names in ((EVENTS, EVENT_COLUMNS), (RECORDS, RECORD_COLUMNS)):
        for name in names:
            kind = kinds.get(table.schema[name].dataType.simpleString(), "number")
            assert dict(STANDARD_KINDS).get(name, "text") == kind


def test_mapped_keys_beyond_the_standard_schema_are_attributes() -> None:
    maps = {"event_type": "'call'", "occurred_at": "at", "reason": "why", "agent": "who", "store": "place"}
    assert source(maps=maps).attribute_names == ("agent", "reason")


def test_raw_columns_are_known_with_the_place_that_names_them_first() -> None:
    maps = {"event_type": "'call'", "occurred_at": "cast(at as timestamp)", "channel": "coalesce(at, line)"}
    used = source(maps=maps, identifiers=[{"namespace": "phone", "value": "trim(caller)"}]).raw_columns_used()
    assert used == {"at": "maps.occurred_at", "line": "maps.channel", "caller": "identifiers.0.value"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"maps": {"event_type": "'call'"}}, "a source of kind events must map occurred_at"),
        ({"kind": "records", "maps": {"city": "city"}}, "a source of kind records must map observed_at"),
        ({"path": "/etc"}, "expected a folder below the landing root"),
        ({"path": "till/../../etc"}, "expected a folder below the landing root"),
        ({"format": "xml"}, "'csv', 'json' or 'parquet'"),
        ({"options": {"header": False}}, "a CSV file needs a header line"),
        ({"options": {"Header": "FALSE"}}, "a CSV file needs a header line"),
        ({"columns": ["card", "_Change"]}, "no column can be called _change;"),
        ({"source": "Till 1"}, "pattern"),
        (
            {"maps": {"event_type": "secret('a','b')", "occurred_at": "now("}},
            "maps.event_type\n  Value error, the function secret is not allowed",
        ),
        (
            {"maps": {"event_type": "secret('a','b')", "occurred_at": "now("}},
            "maps.occurred_at\n  Value error, not a SQL expression",
        ),
        ({"identifiers": [{"namespace": "email", "value": "reflect(a)"}]}, "the function reflect is not allowed"),
        ({"identifiers": [{"namespace": "email", "value": "split(a, ',')"}]}, "is an array; expected one value"),
        (
            {"maps": {"event_type": "'call'", "occurred_at": "a > 3"}},
            "occurred_at expects a timestamp, and 'a > 3' is a condition",
        ),
        ({"maps": {"event_type": "greatest(a, 3)", "occurred_at": "at"}}, "GREATEST(a, 3) mixes text and a whole number"),
        ({"expect": [{"name": "paid", "check": "revenue"}]}, "'revenue' is a number; expected a condition"),
        ({"expect": [{"name": "paid", "check": "revenue + channel > 0"}]}, "computes with a number and text"),
        ({"expect": [{"name": "Paid", "check": "revenue > 0"}]}, "pattern"),
        ({"expect": [{"name": "paid", "check": "price > 0"}]}, "expect: paid checks price; expected columns of"),
        ({"expect": [{"name": "paid", "check": "revenue > 0"}] * 2}, "two expectations have one name"),
    ],
)
def test_a_source_that_cannot_work_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        source(**changes)
    assert told in str(refusal.value)
