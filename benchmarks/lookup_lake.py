"""A lake to look profiles up in: as many as asked for, each with five identifiers, made from their numbers alone.

Run as a module with a folder and a number of profiles, this file makes the lake and lays it out as ``c360 maintain`` does.
"""

from __future__ import annotations

import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from conf.project import load_project
from conf.tables.contract import Table
from conf.tables.gold import RFM, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.ops import LAKE, RUNS
from conf.tables.silver import EVENTS, IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS, profile_attributes_table
from jobs.runtime.lake import Lake, append, append_to_files, ensure_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SALT = "a salt for measurements"
NAMESPACES = {
    "crm_id": "cast({i} as string)",
    "loyalty_id": "concat('LC', lpad(cast({i} as string), 8, '0'))",
    "email": "concat('user', cast({i} as string), '@example.com')",
    "device_id": "concat('d-', cast({i} as string))",
    "cookie_id": "concat('c-', cast({i} as string))",
}
"""Namespace -> the value of profile number i, as SQL."""
EVENTS_EACH = 5
SHARED = 40
"""Every so many profiles one's device was also used by the next one, whose link to it is severed."""
DONE = "done"


def lookup_lake(folder: Path, profiles: int) -> Path:
    """The lake in ``folder``, made once."""
    folder = folder.resolve()
    if not (folder / DONE).is_file():
        shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
        _make(folder, profiles)
        (folder / DONE).touch()
    return folder


def _make(folder: Path, profiles: int) -> None:
    from jobs.maintain_lake import detail_of, file_size, tidy
    from jobs.runtime.session import get_session

    spark, lake, profile = get_session(), Lake(str(folder)), load_project().profile
    now = datetime(2017, 12, 31, tzinfo=timezone.utc)
    append_to_files(str(folder / "ops" / "lake"), LAKE, [_plain(LAKE, lake_id="1", format_version=1, salt=SALT)])
    done = {"run_id": "1", "stage": "publish-customer-360", "outcome": "done", "as_of": now, "started_at": now, "seconds": 1.0}
    append_to_files(str(folder / "ops" / "runs"), RUNS, [_plain(RUNS, **done)])
    attributes, summary = profile_attributes_table(profile), customer_360_table(profile)
    whose = {"profile_id": _id("crm_id", "id")}
    city, mail = "concat('Town ', id % 997)", NAMESPACES["email"].format(i="id")
    told = "array(named_struct('attribute', 'city', 'source', 'crm', 'observed_at', timestamp'2017-01-01'))"
    rows = {
        IDENTITIES: _identities(spark, profiles),
        IDENTITY_LINKS: _links(spark, profiles),
        EVENTS: _events(spark, profiles),
        attributes: _rows(spark, attributes, profiles, **whose, city=city, email=mail, provenance=told),
        summary: _rows(spark, summary, profiles, **whose, profile_type="'known'", city=city, email=mail, events=str(EVENTS_EACH)),
        RFM: _rows(spark, RFM, profiles, **whose, frequency="id % 50", last_purchase_at=_day("id")),
        SEGMENT_ASSIGNMENTS: _rows(
            spark,
            SEGMENT_ASSIGNMENTS,
            profiles,
            **whose,
            valid_from=_day("id"),
            segment="'VIP'",
            is_current="true",
            model_version="'1'",
        ),
    }
    ensure_table(spark, lake, IDENTITY_CHANGES)
    for table, made in rows.items():
        ensure_table(spark, lake, table)
        append(lake, table, made)
        with file_size(spark, table.file_mib):
            tidy(spark, lake, table, detail_of(spark, lake, table))


def _plain(table: Table, **values: object) -> dict[str, object]:
    return {**dict.fromkeys(table.column_names), **values}


def _id(namespace: str, number: str) -> str:
    value = NAMESPACES[namespace].format(i=number)
    return f"substring(sha2(concat('{SALT}:{namespace}:', {value}), 256), 1, 32)"


def _day(number: str) -> str:
    return f"timestamp_seconds(1483228800 + ({number} * 7919) % 31536000)"


def _by(choices: list[str], number: str) -> str:
    cases = " ".join(f"when {place} then {choice}" for place, choice in enumerate(choices))
    return f"case {number} {cases} end"


def _rows(spark: SparkSession, table: Table, number: int, which: str = "true", **values: str) -> DataFrame:
    """Rows 0 to ``number`` of the table, from SQL over ``id``, or those ``which`` it says; what is not given is null."""
    columns = [f"cast({values.get(c.name, 'null')} as {c.type.simpleString()}) as `{c.name}`" for c in table.columns]
    return spark.range(number).where(which).selectExpr(*columns)


def _identities(spark: SparkSession, profiles: int) -> DataFrame:
    i = f"(id div {len(NAMESPACES)})"
    kind = f"(id % {len(NAMESPACES)})"
    own = _by([_id(name, i) for name in NAMESPACES], kind)
    is_shared = f"{kind} = {list(NAMESPACES).index('device_id')} and {i} % {SHARED} = 0"
    values = {
        "identifier_id": own,
        "namespace": _by([f"'{name}'" for name in NAMESPACES], kind),
        "value": _by([value.format(i=i) for value in NAMESPACES.values()], kind),
        "component_id": _id("crm_id", i),
        "profile_id": _id("crm_id", i),
        "reason": f"if({kind} = 0, 'anchor', 'linked')",
        "first_seen": _day(i),
        "last_seen": _day(i),
        "times": "3",
        "severed_from": f"if({is_shared}, array({_id('loyalty_id', f'({i} + 1)')}), array())",
    }
    return _rows(spark, IDENTITIES, profiles * len(NAMESPACES), **values)


def _links(spark: SparkSession, profiles: int) -> DataFrame:
    """The CRM number with itself, card and e-mail; the card with itself, device and browser, and with one that is another's."""
    pairs = [("crm_id", "crm_id"), ("crm_id", "loyalty_id"), ("crm_id", "email")]
    pairs += [("loyalty_id", "loyalty_id"), ("loyalty_id", "device_id"), ("loyalty_id", "cookie_id")]
    pairs += [("loyalty_id", "device_id")]
    i, kind = f"(id div {len(pairs)})", f"(id % {len(pairs)})"
    is_severed = f"{kind} = {len(pairs) - 1}"
    whose = f"if({is_severed}, {i} - 1, {i})"
    values = {
        "identifier_id": _by([_id(one, i) for one, _ in pairs], kind),
        "other_identifier_id": _by([_id(other, whose) for _, other in pairs], kind),
        "namespace": _by([f"'{one}'" for one, _ in pairs], kind),
        "other_namespace": _by([f"'{other}'" for _, other in pairs], kind),
        "value": _by([NAMESPACES[one].format(i=i) for one, _ in pairs], kind),
        "other_value": _by([NAMESPACES[other].format(i=whose) for _, other in pairs], kind),
        "first_seen": _day(i),
        "last_seen": _day(i),
        "times": "3",
        "sources": "array('crm')",
        "severed": f"if({is_severed}, 'limit:crm_id', null)",
    }
    return _rows(spark, IDENTITY_LINKS, profiles * len(pairs), f"not {is_severed} or {i} % {SHARED} = 1", **values)


def _events(spark: SparkSession, profiles: int) -> DataFrame:
    """Of each profile four by its card and one by its browser, over the year."""
    i, number = f"(id div {EVENTS_EACH})", f"(id % {EVENTS_EACH})"
    values = {
        "event_id": "cast(id as string)",
        "source": "'pos'",
        "row_hash": "md5(cast(id as string))",
        "row_ordinal": "1",
        "event_type": f"if({number} < 4, 'purchase', 'product_view')",
        "occurred_at": _day("id"),
        "occurred_on": f"cast({_day('id')} as date)",
        "order_id": f"concat('o', {i})",
        "product_id": "concat('p', id % 10007)",
        "category": "concat('Category ', id % 101)",
        "store": "concat('Store ', id % 53)",
        "channel": f"if({number} < 4, 'store', 'web')",
        "quantity": "1",
        "revenue": "id % 1000 / 100",
        "primary_identifier_id": f"if({number} < 4, {_id('loyalty_id', i)}, {_id('cookie_id', i)})",
    }
    return _rows(spark, EVENTS, profiles * EVENTS_EACH, **values)


if __name__ == "__main__":
    lookup_lake(Path(sys.argv[1]), int(sys.argv[2]))
