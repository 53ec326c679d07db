"""The tables that a lookup asks: a few rows at a time, from files without a JVM, or from a catalogue through Spark."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from conf.tables.contract import Table
from jobs.runtime.lake import Lake, append_rows, append_to_files, exists, table_name

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, QueryBuilder
    from pyspark.sql import SparkSession

    from jobs.lookup.key_files import KeyFiles

Row = dict[str, Any]


class Tables(Protocol):
    """Where rows come from. Conditions are SQL that both engines read; they name ids and times, never a personal value."""

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """The rows that hold; none where the table does not exist. A column that the table lacks is null. ``tail``
        orders and limits.
        """

    def rows_of(self, table: str, columns: Sequence[str], key: str, ids: Collection[str]) -> pa.Table:
        """The rows whose key is one of these ids, which are hex; as :meth:`rows`, and in no order."""

    def append(self, table: Table, rows: list[Row]) -> None:
        """Adds rows to a log, which is made where it is not there yet."""

    def refresh(self) -> bool:
        """Looks for what was committed since, which a process that goes on has to ask for; whether there may be anything."""


class _Open(NamedTuple):
    """A table at a version: to be asked in SQL, and for single keys by its files where that is quicker."""

    held: DeltaTable
    query: QueryBuilder
    files: KeyFiles | None


class FileTables:
    """A lake of files, on this machine or in object storage, read with delta-rs. Tables stay open between questions."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[str, _Open] = {}

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """See :class:`Tables`."""
        return self._asked(table, columns, where, tail).to_pylist()

    def rows_of(self, table: str, columns: Sequence[str], key: str, ids: Collection[str]) -> pa.Table:
        """See :class:`Tables`."""
        found = self._table(table)
        if found is None:
            return no_rows(columns)
        if found.files is not None:
            return found.files.rows(columns, key, ids)
        return _with_strings(self._asked(table, columns, one_of(key, ids), ""))

    def _asked(self, table: str, columns: Sequence[str], where: str, tail: str) -> pa.Table:
        import pyarrow as pa

        found = self._table(table)
        if found is None:
            return no_rows(columns)
        asked = statement("t", columns, {field.name for field in found.held.schema().fields}, where, tail)
        return pa.table(found.query.execute(asked))

    def refresh(self) -> bool:
        """See :class:`Tables`."""
        is_new = False
        for name, found in list(self._open.items()):
            before = found.held.version()
            found.held.update_incremental()
            if found.held.version() != before:
                self._open[name] = self._opened(name, found.held)
                is_new = True
        return is_new

    def append(self, table: Table, rows: list[Row]) -> None:
        """See :class:`Tables`."""
        append_to_files(self._uri(table.name), table, rows)

    def _uri(self, name: str) -> str:
        return f"{self._root}/{name.replace('.', '/')}"

    def _table(self, name: str) -> _Open | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        if name not in self._open:
            try:
                held = DeltaTable(self._uri(name))
            except TableNotFoundError:
                return None
            self._open[name] = self._opened(name, held)
        return self._open[name]

    def _opened(self, name: str, held: DeltaTable) -> _Open:
        from deltalake import QueryBuilder

        from jobs.lookup.key_files import KeyFiles, has_marks, is_plain

        files = KeyFiles(held, self._uri(name)) if has_marks(held) and is_plain(held) else None
        return _Open(held, QueryBuilder().register("t", held), files)


def _with_strings(rows: pa.Table) -> pa.Table:
    """Texts as strings, where the query engine has views of them, which Arrow does not sort."""
    import pyarrow as pa

    is_view = [pa.types.is_string_view(field.type) for field in rows.schema]
    return rows.cast(pa.schema([f.with_type(pa.string()) if view else f for f, view in zip(rows.schema, is_view, strict=True)]))


class CatalogueTables:
    """A lake in a catalogue, read through Spark."""

    def __init__(self, spark: SparkSession, lake: Lake) -> None:
        self._spark = spark
        self._lake = lake

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """See :class:`Tables`."""
        return self._asked(table, columns, where, tail).to_pylist()

    def rows_of(self, table: str, columns: Sequence[str], key: str, ids: Collection[str]) -> pa.Table:
        """See :class:`Tables`."""
        return self._asked(table, columns, one_of(key, ids), "")

    def _asked(self, table: str, columns: Sequence[str], where: str, tail: str) -> pa.Table:
        if not exists(self._spark, self._lake, table):
            return no_rows(columns)
        name = table_name(self._lake, table)
        present = set(self._spark.table(name).columns)
        return self._spark.sql(statement(name, columns, present, where, tail)).toArrow()

    def refresh(self) -> bool:
        """Every question reads the current versions."""
        return True

    def append(self, table: Table, rows: list[Row]) -> None:
        """See :class:`Tables`."""
        append_rows(self._spark, self._lake, table, rows)


def no_rows(columns: Sequence[str]) -> pa.Table:
    """What a table tells that is not there."""
    import pyarrow as pa

    return pa.table({column: pa.nulls(0) for column in columns})


def statement(name: str, columns: Sequence[str], present: set[str], where: str, tail: str) -> str:
    """The question as SQL; a column that is not ``present`` is null."""
    chosen = ", ".join(f"`{c}`" if c in present else f"cast(null as string) as `{c}`" for c in columns)
    return f"select {chosen} from {name} where {where} {tail}"


def one_of(column: str, ids: Iterable[str]) -> str:
    """The condition that the column is one of these ids, which are hex."""
    return f"{column} in ({', '.join(repr(str(each)) for each in sorted(ids))})"
