"""Raw rows as bronze keeps them: every column as text, and a key that knows a repeated row."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.tables.bronze import DELIVERY_COLUMNS

SALT = "_salt"
"""The column of the lake's salt beside raw ones."""
_OWN = (*(column.name for column in DELIVERY_COLUMNS), SALT)


def raw_column_names(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that came with the data, in their order."""
    return tuple(name for name in columns if name not in _OWN)


def one_spelling(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, as it is spelled first: to Spark and Delta ``Card`` and ``card`` are one column."""
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(name.lower(), name)
    return tuple(spelled.values())


def in_columns(rows: DataFrame, names: Iterable[str]) -> DataFrame:
    """The same rows in these columns, spelled like this; null text where ``rows`` has no such column in any case."""
    own = {name.lower() for name in rows.columns}
    return rows.select(*((F.col(f"`{n}`") if n.lower() in own else F.lit(None).cast("string")).alias(n) for n in names))


def as_text(rows: DataFrame) -> DataFrame:
    """Every raw column as text; structs, arrays and maps as JSON. Same rows; nulls stay null."""
    converted = [_text(field).alias(field.name) for field in rows.schema]
    return rows.select(*converted)


def _text(field: T.StructField) -> Column:
    column = F.col(f"`{field.name}`")
    if isinstance(field.dataType, T.StringType):
        return column
    if isinstance(field.dataType, (T.StructType, T.ArrayType, T.MapType)):
        return F.to_json(column)
    return column.cast("string")


def with_row_hash(rows: DataFrame) -> DataFrame:
    """Adds ``_row_hash``: md5 (128 bits) of the row's content.

    A column that is null adds nothing to the hash, so a column that a feed gains later leaves old rows' keys alone.
    """
    content = [F.col(f"`{name}`") for name in sorted((*raw_column_names(rows.columns), "_unparsed"))]
    return rows.withColumn("_row_hash", F.md5(F.to_json(F.struct(*content))))


def first_deliveries(hashed: DataFrame) -> DataFrame:
    """One row per row key, with ``_row_ordinal``: 1 for the first of equal rows in a file, 2 for the second.

    A row delivered in several files is kept once, with the first file's name. ``hashed`` is read three times: hand over
    written rows. Most rows are alone with their hash; only the others, found by a look at the hashes, are sorted.
    """
    again = F.broadcast(hashed.groupBy("_row_hash").count().where(F.col("count") > 1).select("_row_hash"))
    alone = hashed.join(again, "_row_hash", "left_anti").withColumn("_row_ordinal", F.lit(1))
    # Equal rows of one file are interchangeable, so any order numbers them alike.
    in_file = Window.partitionBy("_row_hash", "_source_file").orderBy("_row_hash")
    copies = Window.partitionBy("_row_hash", "_row_ordinal").orderBy("_source_file")
    several = (
        hashed.join(again, "_row_hash", "left_semi")
        .withColumn("_row_ordinal", F.row_number().over(in_file))
        .withColumn("_copy", F.row_number().over(copies))
        .where(F.col("_copy") == 1)
        .drop("_copy")
    )
    return alone.unionByName(several)
