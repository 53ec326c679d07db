"""Profiles looked up in a running process, by delta-rs (ours), DuckDB and Spark: the same questions over the same files.

Run as a module with an engine, a lake and its number of profiles, this file is one of the contenders: it opens the lake,
asks, and prints its percentiles.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from benchmarks.harness import Comparison, Contender
from benchmarks.lookup_lake import EVENTS_EACH, NAMESPACES, lookup_lake
from conf.project import load_project
from conf.tables.contract import Table
from jobs.look_up_profile import Lookup
from jobs.lookup.tables import CatalogueTables, FileTables, Row, Tables, no_rows, one_of, statement
from jobs.runtime.lake import Lake

NAME = "lookup"
SIZES = {"s": 10_000, "m": 100_000, "l": 1_000_000}
"""Profiles; each has five identifiers."""
WARM_UP, LOOKUPS = 5, 50


def comparison(size: str, cache: Path) -> Comparison:
    """The engines over the lake of a size, which is made in ``cache`` once."""
    profiles = SIZES[size]
    lake = lookup_lake(cache / f"lookup-{size}", profiles).resolve()
    files = [path for path in lake.rglob("*.parquet") if "_delta_log" not in path.parts]
    work = {
        "profiles": profiles,
        "identifiers": profiles * len(NAMESPACES),
        "events": profiles * EVENTS_EACH,
        "files": len(files),
        "mib": round(sum(path.stat().st_size for path in files) / 1024**2, 1),
        "lookups": LOOKUPS,
    }
    engines = ("ours", "duckdb", "spark")
    return Comparison(NAME, size, work, "answers", tuple(_contender(engine, lake, profiles) for engine in engines))


def _contender(engine: str, lake: Path, profiles: int) -> Contender:
    command = [sys.executable, "-m", "benchmarks.lookup", engine, str(lake), str(profiles)]
    return Contender(engine, lambda folder: command, lambda folder: (folder / "answers").read_text(), figures=json.loads)


class DuckTables:
    """The current files of each table, as DuckDB reads them: no log, no statistics but those in the files."""

    def __init__(self, root: str) -> None:
        import duckdb

        self._root = Path(root)
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'; SET threads = 2")
        self._columns: dict[str, set[str]] = {}
        self._opening = Lock()

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """See ``jobs.lookup.tables.Tables``."""
        return self._asked(table, columns, where, tail).to_pylist()

    def rows_of(self, table: str, columns: Sequence[str], key: str, ids: Collection[str]) -> pa.Table:
        """See ``jobs.lookup.tables.Tables``."""
        return self._asked(table, columns, one_of(key, ids), "")

    def _asked(self, table: str, columns: Sequence[str], where: str, tail: str) -> pa.Table:
        name = table.replace(".", "_")
        with self._opening:
            if table not in self._columns:
                self._open(table, name)
        if not self._columns[table]:
            return no_rows(columns)
        asked = statement(name, columns, self._columns[table], where, tail).replace("`", '"')
        found = self._connection.cursor().sql(asked).to_arrow_table()
        return found.cast(pa.schema([(field.name, _in_utc(field.type)) for field in found.schema]))

    def _open(self, table: str, name: str) -> None:
        from deltalake import DeltaTable

        path = str(self._root.joinpath(*table.split(".")))
        held = DeltaTable(path) if DeltaTable.is_deltatable(path) else None
        files = held.file_uris() if held else []
        self._columns[table] = {field.name for field in held.schema().fields} if held and files else set()
        if files:
            self._connection.cursor().execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files})")

    def append(self, table: Table, rows: list[Row]) -> None:
        """Nothing is written here."""

    def refresh(self) -> bool:
        """Its files are the same for as long as it lives."""
        return False


def _in_utc(kind: pa.DataType) -> pa.DataType:
    """DuckDB takes Spark's older kind of time (INT96) for one without a zone."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_list(kind):
        return pa.list_(_in_utc(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _in_utc(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _in_utc(field.type)) for field in kind])
    return kind


def tables_of(engine: str, root: str) -> Tables:
    """The lake, as an engine reads it."""
    if engine == "spark":
        from jobs.runtime.session import get_session

        return CatalogueTables(get_session(), Lake(root))
    return DuckTables(root) if engine == "duckdb" else FileTables(root)


def questions(profiles: int, number: int) -> Iterator[str]:
    """Identifiers of profiles from all over the lake, each namespace in turn."""
    written: dict[str, Callable[[int], str]] = {
        "email": lambda i: f"user{i}@example.com",
        "crm_id": str,
        "loyalty_id": lambda i: f"LC{i:08}",
        "cookie_id": lambda i: f"c-{i}",
        "device_id": lambda i: f"d-{i}",
    }
    names = list(written)
    for place in range(number):
        name = names[place % len(names)]
        yield f"{name}:{written[name](place * 7_368_787 % profiles)}"


def _ask(engine: str, root: str, profiles: int) -> dict[str, float]:
    """Percentiles in milliseconds, and ``answers``: a hash of all that was found, in the current folder. A look for what was
    committed since is timed apart: each engine has its own, and DuckDB none.
    """
    clock = time.perf_counter()
    lookup = Lookup(load_project(), tables_of(engine, root))
    opened = time.perf_counter() - clock
    taken: list[float] = []
    refreshing: list[float] = []
    answers: list[Any] = []
    for text in questions(profiles, WARM_UP + LOOKUPS):
        clock = time.perf_counter()
        lookup.refresh()
        refreshed = time.perf_counter()
        answers.append(asdict(lookup.profile_of(text)))
        taken.append((time.perf_counter() - refreshed) * 1000)
        refreshing.append((refreshed - clock) * 1000)
    Path("answers").write_text(hashlib.sha256(json.dumps(answers, default=str).encode()).hexdigest())
    cuts = statistics.quantiles(taken[WARM_UP:], n=20)
    looked = {"opening_s": round(opened, 3), "p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)}
    return {**looked, "refresh_ms": round(statistics.median(refreshing[WARM_UP:]), 1)}


if __name__ == "__main__":
    print(json.dumps(_ask(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
