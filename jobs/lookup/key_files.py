"""A Delta table's files, asked for the rows of a few ids: only row groups that may hold one of them are read.

This is for tables with deletion vectors: where a file has one, the query engine of delta-rs goes through all of its rows. Here
statistics name the row groups, ids are looked for in the key's column alone, and rows that are marked as deleted are left out of
what was found. Without deletion vectors the engine is as quick for one row group, and quicker for many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from deltalake import DeltaTable

Bounds = tuple[str, str] | None
"""The smallest and the largest value of a key; None where nobody wrote them down."""


class Group(NamedTuple):
    """A row group: its number, where its rows start in the file, how many they are, and a key's bounds."""

    number: int
    start: int
    size: int
    bounds: Bounds


def has_marks(held: DeltaTable) -> bool:
    """Whether rows of the table may be marked as deleted while their files stay."""
    return "deletionVectors" in (held.protocol().reader_features or ())


def is_plain(held: DeltaTable) -> bool:
    """Whether the table's files have its columns under their own names, all of them."""
    metadata = held.metadata()
    mapping = metadata.configuration.get("delta.columnMapping.mode") or "none"
    return mapping == "none" and not metadata.partition_columns


class KeyFiles:
    """The files of the version at which a table stands that :func:`is_plain`. ``root`` is its place."""

    def __init__(self, held: DeltaTable, root: str) -> None:
        self._held = held
        self._root = root
        self._schema = pa.schema(held.schema().to_arrow())
        self._files = pa.table(held.get_add_actions(flatten=True))
        self._footers: dict[str, pq.FileMetaData] = {}
        self._groups: dict[tuple[str, str], list[Group]] = {}
        self._bounds: dict[str, list[Bounds]] = {}

    def rows(self, columns: Sequence[str], key: str, ids: Collection[str]) -> pa.Table:
        """All rows whose ``key`` is one of ``ids``, in no order. A column that the table lacks is null."""
        wanted = pa.schema([_field(self._schema, name) for name in columns])
        return pa.concat_tables([wanted.empty_table(), *(_as(wanted, rows) for rows in self._found(wanted.names, key, ids))])

    def _found(self, columns: list[str], key: str, ids: Collection[str]) -> Iterator[pa.Table]:
        sought = pa.array(sorted(ids), pa.string())
        for path, bounds in zip(self._files["path"].to_pylist(), self._bounds_of(key), strict=True):
            if not _may_hold(bounds, ids):
                continue
            with self._opened(path) as file:
                held = set(file.schema_arrow.names)
                present = [name for name in columns if name in held]
                for group in self._groups_of(path, key, file.metadata):
                    if not _may_hold(group.bounds, ids):
                        continue
                    hits = pc.is_in(file.read_row_group(group.number, [key], use_threads=False)[key], sought)
                    hits = pc.and_(hits, self._still_there(path, group))
                    if pc.any(hits).as_py():
                        yield file.read_row_group(group.number, present, use_threads=False).filter(hits)

    def _opened(self, path: str) -> pq.ParquetFile:
        """Times that Spark wrote in its older form are read as microseconds, which hold every day of the calendar."""
        known = self._footers.get(path)
        if self._storage is None:
            place, on_disk = f"{self._root}/{path}", True
        else:
            place, on_disk = self._storage.open_input_file(path), False
        file = pq.ParquetFile(place, metadata=known, memory_map=on_disk, coerce_int96_timestamp_unit="us")
        self._footers.setdefault(path, file.metadata)
        return file

    @cached_property
    def _storage(self) -> pa.fs.FileSystem | None:
        """Object storage as the table reaches it; None for a folder of this machine."""
        if "://" not in self._root:
            return None
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        return PyFileSystem(DeltaStorageHandler(self._root))

    def _still_there(self, path: str, group: Group) -> pa.Array:
        """Of each row of the group; what nobody says anything about is."""
        told = self._kept.get(PurePosixPath(path).name, pa.array([], pa.bool_())).slice(group.start, group.size)
        return pa.concat_arrays([told, pa.repeat(True, group.size - len(told))])

    @cached_property
    def _kept(self) -> dict[str, pa.Array]:
        """File's name -> of each of its first rows whether it is still there; without the files of which all are."""
        if not has_marks(self._held):
            return {}
        marks = pa.table(self._held.deletion_vectors())
        names = [PurePosixPath(place).name for place in marks["filepath"].to_pylist()]
        return dict(zip(names, (mark.values for mark in marks["selection_vector"]), strict=True))

    def _bounds_of(self, key: str) -> list[Bounds]:
        """Of each file."""
        if key not in self._bounds:
            ends = [f"{end}.{key}" for end in ("min", "max")]
            known = set(ends) <= set(self._files.column_names)
            columns = [self._files[end].to_pylist() if known else [None] * self._files.num_rows for end in ends]
            self._bounds[key] = [_bounds(*both) for both in zip(*columns, strict=True)]
        return self._bounds[key]

    def _groups_of(self, path: str, key: str, footer: pq.FileMetaData) -> list[Group]:
        if (path, key) not in self._groups:
            place = next(number for number in range(footer.num_columns) if footer.schema.column(number).path == key)
            groups, start = [], 0
            for number in range(footer.num_row_groups):
                group = footer.row_group(number)
                told = group.column(place).statistics
                bounds = _bounds(told.min, told.max) if told is not None and told.has_min_max else None
                groups.append(Group(number, start, group.num_rows, bounds))
                start += group.num_rows
            self._groups[path, key] = groups
        return self._groups[path, key]


def _bounds(smallest: str | None, largest: str | None) -> Bounds:
    return None if smallest is None or largest is None else (smallest, largest)


def _may_hold(bounds: Bounds, ids: Collection[str]) -> bool:
    return bounds is None or any(bounds[0] <= one <= bounds[1] for one in ids)


def _field(schema: pa.Schema, name: str) -> pa.Field:
    return schema.field(name) if name in schema.names else pa.field(name, pa.string())


def _as(wanted: pa.Schema, rows: pa.Table) -> pa.Table:
    """Rows of a file in the table's types, with null for columns that the table has been given since."""
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)
