"""Bronze contracts: one table a source, its raw columns as text, and where each row came from."""

from __future__ import annotations

from pyspark.sql import types as T

from conf.tables.contract import Column, Table

DELIVERY_COLUMNS = (
    Column("_row_hash", T.StringType(), "Hash of the raw row's content: equal rows have equal hashes", "indirect", False),
    Column("_row_ordinal", T.IntegerType(), "1 for the first of equal rows in one file, 2 for the second, …", "none", False),
    Column("_source_file", T.StringType(), "File that delivered the row first, below the landing root", "none", False),
    Column("_ingested_at", T.TimestampType(), "When the row was read (UTC)", "none", False),
    Column("_unparsed", T.StringType(), "The row's text where the format could not be read; null otherwise", "direct"),
)
RESERVED_NAMES = frozenset((
    *(column.name for column in DELIVERY_COLUMNS), "_metadata", "_change_type", "_commit_version", "_commit_timestamp",
    "_salt", "_copy", "_change",
))  # fmt: skip
"""Names that no raw column can have, in any case: bronze's own, Spark's and Delta's, and those of the steps between."""


def bronze_table(source: str, raw_columns: tuple[str, ...] = ()) -> Table:
    """The contract of ``bronze.<source>``: ``raw_columns`` by name, all text and all treated as personal.

    New raw columns are added as they appear; none is dropped. Rows are only ever inserted.
    """
    raw = tuple(Column(name, T.StringType(), f"Raw column of {source}, as it came", "direct") for name in raw_columns)
    return Table(
        name=f"bronze.{source}",
        comment=f"Raw rows of the source {source} as they came; a row delivered twice is kept once",
        columns=(*raw, *DELIVERY_COLUMNS),
        keys=("_row_hash", "_row_ordinal"),
        # Raw column names may hold blanks or signs that Parquet refuses; mapping by name allows them.
        properties=(("delta.columnMapping.mode", "name"),),
    )
