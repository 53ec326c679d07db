"""The tables that a lookup asks: a few rows at a time, from files without a JVM, or from a catalogue through Spark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from conf.tables.contract import Table
from jobs.runtime.lake import Lake, append_rows, append_to_files, exists, table_name

if TYPE_CHECKING:
    from deltalake import DeltaTable, QueryBuilder
    from pyspark.sql import SparkSession

Row = dict[str, Any]


class Tables(Protocol):
    """Where rows come from. Conditions are SQL that both engines read; they name ids and times, never a personal value."""

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """The rows that hold; none where the table does not exist. A column that the table lacks is null. ``tail``
        orders and limits.
        """

    def append(self, table: Table, rows: list[Row]) -> None:
        """Adds rows to a log, which is made where it is not there yet."""

    def refresh(self) -> None:
        """Looks for what was committed since: a process that goes on has to ask."""


class FileTables:
    """A lake of files, on this machine or in object storage, read with delta-rs. Tables stay open between questions."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[str, tuple[DeltaTable, QueryBuilder]] = {}

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """See :class:`Tables`."""
        import pyarrow as pa

        found = self._table(table)
        if found is None:
            return []
        held, query = found
        asked = statement("t", columns, {field.name for field in held.schema().fields}, where, tail)
        return pa.table(query.execute(asked)).to_pylist()

    def refresh(self) -> None:
        """See :class:`Tables`."""
        for name, (held, _) in list(self._open.items()):
            before = held.version()
            held.update_incremental()
            if held.version() != before:
                self._open[name] = (held, _query(held))

    def append(self, table: Table, rows: list[Row]) -> None:
        """See :class:`Tables`."""
        append_to_files(self._uri(table.name), table, rows)

    def _uri(self, name: str) -> str:
        return f"{self._root}/{name.replace('.', '/')}"

    def _table(self, name: str) -> tuple[DeltaTable, QueryBuilder] | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        if name not in self._open:
            try:
                held = DeltaTable(self._uri(name))
            except TableNotFoundError:
                return None
            self._open[name] = (held, _query(held))
        return self._open[name]


def _query(held: DeltaTable) -> QueryBuilder:
    from deltalake import QueryBuilder

    return QueryBuilder().register("t", held)


class CatalogueTables:
    """A lake in a catalogue, read through Spark."""

    def __init__(self, spark: SparkSession, lake: Lake) -> None:
        self._spark = spark
        self._lake = lake

    def rows(self, table: str, columns: Sequence[str], where: str, tail: str = "") -> list[Row]:
        """See :class:`Tables`."""
        if not exists(self._spark, self._lake, table):
            return []
        name = table_name(self._lake, table)
        present = set(self._spark.table(name).columns)
        return self._spark.sql(statement(name, columns, present, where, tail)).toArrow().to_pylist()

    def refresh(self) -> None:
        """Every question reads the current versions."""

    def append(self, table: Table, rows: list[Row]) -> None:
        """See :class:`Tables`."""
        append_rows(self._spark, self._lake, table, rows)


def statement(name: str, columns: Sequence[str], present: set[str], where: str, tail: str) -> str:
    """The question as SQL; a column that is not ``present`` is null."""
    chosen = ", ".join(f"`{c}`" if c in present else f"cast(null as string) as `{c}`" for c in columns)
    return f"select {chosen} from {name} where {where} {tail}"


def one_of(column: str, ids: Iterable[str]) -> str:
    """The condition that the column is one of these ids, which are hex."""
    return f"{column} in ({', '.join(repr(str(each)) for each in sorted(ids))})"
