"""What a table contract is: one value that says name, columns, keys and layout.

Code creates, writes, selects and tests from the contract, so a column is spelled once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyspark.sql import types as T

LOOKED_UP = 8
"""MiB of a file from which a few rows are read while somebody waits."""

Personal = Literal["direct", "indirect", "none"]


@dataclass(frozen=True)
class Column:
    """One column: its Spark type, the comment analysts read, and how personal its values are.

    ``personal``: ``direct`` names or reaches a person (e-mail, name, raw identifier), ``indirect`` describes one
    (a hashed id, a purchase), ``none`` says nothing about anybody. Direct columns never enter Delta's statistics.
    """

    name: str
    type: T.DataType
    comment: str
    personal: Personal = "indirect"
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A table's contract. ``name`` is ``<schema>.<table>``; ``keys`` identify a row and are never null.

    ``file_mib`` is the size of file that upkeep aims at: small (``LOOKED_UP``) where somebody waits for single keys.
    ``deletion_vectors``: a MERGE marks the rows it replaces, and does not write their files anew. Said of each table, since
    engines differ in what they take for granted. Without a JVM marked files are quick to look into by the key they lie by alone
    (:mod:`jobs.lookup.key_files`); for every other question delta-rs goes through all of their rows.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    cluster_by: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    change_feed: bool = True
    file_mib: int = 128
    deletion_vectors: bool = False
    history: bool = False
    """True where the table records what happened: its rows are not rebuilt."""

    def __post_init__(self) -> None:
        if self.deletion_vectors and self.file_mib <= LOOKED_UP and self.cluster_by != self.keys:
            raise ValueError(
                f"{self.name}: a table of which single keys are looked up cannot have deletion vectors unless it is clustered by "
                "its key alone"
            )
        refuse_repeated_columns(self.name, self.column_names)
        by_name = {column.name: column for column in self.columns}
        for name in (*self.keys, *self.cluster_by):
            if name not in by_name:
                raise ValueError(f"{self.name}: key or clustering column {name} is not declared")
        for name in self.cluster_by:
            if by_name[name].personal == "direct":
                raise ValueError(f"{self.name}: {name} is direct personal data and cannot be clustered by")

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> T.StructType:
        """The columns as Spark's schema, with their comments."""
        return T.StructType([T.StructField(c.name, c.type, c.nullable, {"comment": c.comment}) for c in self.columns])

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """Columns whose minimum and maximum Delta may write down: atomic, and not direct personal data."""
        complex_types = (T.ArrayType, T.MapType, T.StructType, T.BinaryType, T.BooleanType)
        return tuple(c.name for c in self.columns if c.personal != "direct" and not isinstance(c.type, complex_types))


def refuse_repeated_columns(of: str, names: tuple[str, ...]) -> None:
    """Raises ValueError with the names that a table or a view has twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{of}: a column is declared twice: {', '.join(twice)}")
