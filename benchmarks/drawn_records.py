"""Records to tell people from: five sources, four identifiers a record, attributes that change; drawn with a fixed seed.

A person has an account at each source, two e-mails, two phones and three devices, and a record carries one of each kind.
No profile comes near a limit, so that plain components are the right answer, and any contender can give it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.drawn_links import SEED, draw_ids

if TYPE_CHECKING:
    from conf.project import Project

SOURCES = ("call_centre", "crm", "loyalty", "shop", "web")
KINDS = {"account": 5, "email": 2, "phone": 2, "device_id": 3}
"""Namespace -> how many of it a person has."""
ATTRIBUTES = ("first_name", "last_name", "city", "postcode")
RECORDS_A_PERSON = 4
RECORDS_A_FILE = 200_000
_TIME = pa.timestamp("us", tz="UTC")
_START = 1_483_228_800_000_000


def project() -> Project:
    """The suite configured for these records, with the latest value of every attribute."""
    from dataclasses import replace

    from conf.identity import IdentityConfig
    from conf.profile import ProfileConfig
    from conf.project import load_project

    identity = IdentityConfig(namespaces=[{"name": name, "max_linked": 10_000} for name in KINDS])
    profile = ProfileConfig(attributes=[{"name": name} for name in ATTRIBUTES])
    return replace(load_project(), identity=identity, profile=profile)


def write_records(folder: Path, numbers: range, persons: range, all_persons: int) -> None:
    """Parquet files of records with these numbers, about these persons, in the columns of ``silver.records``."""
    chance = np.random.default_rng((SEED, numbers.start, persons.start))
    ids = draw_ids(all_persons * sum(KINDS.values()))
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(numbers.start, numbers.stop, RECORDS_A_FILE):
        number = np.arange(start, min(start + RECORDS_A_FILE, numbers.stop))
        person = chance.integers(persons.start, persons.stop, size=len(number))
        table = _records(number, person, chance.integers(0, len(SOURCES), size=len(number)), ids, chance)
        pq.write_table(table, folder / f"part-{start:09}.parquet")


def _records(
    number: NDArray[np.int64], person: NDArray[np.int64], source: NDArray[np.int64], ids: pa.Array, chance: np.random.Generator
) -> pa.Table:
    places, first = [], 0
    for kind, count in KINDS.items():
        own = source if kind == "account" else chance.integers(0, count, size=len(number))
        places.append(person * sum(KINDS.values()) + first + own)
        first += count
    carried = np.stack(places, axis=1).ravel()
    offsets = pa.array(np.arange(len(number) + 1, dtype=np.int32) * len(KINDS))
    identifiers = pa.StructArray.from_arrays(
        [
            pa.array(list(KINDS) * len(number)),
            pa.array(np.char.add("value-", carried.astype(str))),
            ids.take(pa.array(carried)),
            pa.nulls(len(carried), pa.string()),
        ],
        names=["namespace", "value", "identifier_id", "blocked"],
    )
    texts = [np.char.add(f"{name}-", chance.integers(0, 1000, size=len(number)).astype(str)) for name in ATTRIBUTES]
    attributes = pa.MapArray.from_arrays(
        offsets, pa.array(list(ATTRIBUTES) * len(number)), pa.array(np.stack(texts, axis=1).ravel())
    )
    return pa.table(
        {
            "record_id": np.char.add("record-", number.astype(str)),
            "source": pa.array(SOURCES).take(pa.array(source)),
            "row_hash": np.char.add("row-", number.astype(str)),
            "row_ordinal": pa.array(np.ones(len(number), np.int32)),
            "observed_at": pa.array(_START + number * 1_000_000, _TIME),
            "version": pa.nulls(len(number), pa.int64()),
            "attributes": attributes,
            "identifiers": pa.ListArray.from_arrays(offsets, identifiers),
            "primary_identifier_id": ids.take(pa.array(places[0])),
        }
    )
