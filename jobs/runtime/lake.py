"""The lake's tables: where one is, what version it has, how it is read, made and added to.

A lake is a folder (``<lake>/<schema>/<table>``) or a catalogue (``<catalog>.<schema>.<table>``); :func:`table_name`
is the one function that knows the difference, and every other one speaks to tables by that name. Versions and small
``ops`` tables of a folder on this machine are read with delta-rs, in milliseconds and without a JVM, so that a run with
nothing to do never starts one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.errors import LakeError
from conf.settings import Settings
from conf.tables.contract import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Found = TypeVar("Found")
MISSING_IN_CATALOGUE = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND")
MISSING_IN_STORAGE = (
    "PATH_NOT_FOUND",
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_PATH_DOES_NOT_EXIST",
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_TABLE_ONLY_OPERATION",
)
"""Spark's conditions for a table that is not there. A catalogue's table whose files are gone is not missing, but lost."""
STATISTICS = "delta.dataSkippingStatsColumns"
CHANGE_FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")


@dataclass(frozen=True)
class Lake:
    """Where a lake is: a folder (``root``), or a ``catalog`` with a prefix before its schemas' names."""

    root: str | None
    catalog: str | None = None
    schema_prefix: str = ""

    @property
    def local_root(self) -> Path | None:
        """The folder, where it is one of this machine's; None for object storage and catalogues."""
        return None if self.root is None or "://" in self.root else Path(self.root)


def open_lake(settings: Settings) -> Lake:
    """The lake that the settings name; a folder's path is made absolute, since the session may run elsewhere."""
    if settings.lake is None:
        return Lake(None, settings.catalog, settings.schema_prefix)
    path = settings.lake if "://" in settings.lake else str(Path(settings.lake).resolve())
    if "`" in path:
        raise LakeError(f"The lake's path {path} holds a backtick, which SQL cannot name.")
    return Lake(path)


def table_name(lake: Lake, name: str) -> str:
    """The SQL name of the table that contracts call ``<schema>.<table>``."""
    schema, table = name.split(".")
    if lake.root is not None:
        return f"delta.`{lake.root}/{schema}/{table}`"
    return f"`{lake.catalog}`.`{lake.schema_prefix}{schema}`.`{table}`"


def local_path(lake: Lake, name: str) -> Path | None:
    """The table's folder where it is on this machine."""
    return None if lake.local_root is None else lake.local_root.joinpath(*name.split("."))


def exists(spark: SparkSession | None, lake: Lake, name: str) -> bool:
    """Whether the table exists. Without a session (a lake on this machine needs none) ``spark`` may be None."""
    path = local_path(lake, name)
    if path is not None:
        return any((path / "_delta_log").glob("*.json"))
    assert spark is not None
    catalog = spark.catalog
    return _if_there(lake, lambda: bool(catalog.tableExists(table_name(lake, name))), False)


def _if_there(lake: Lake, look: Callable[[], Found], otherwise: Found) -> Found:
    """What a look at a table finds, or ``otherwise`` where Spark says that it is not there: a catalogue has one word for that,
    a folder in object storage others, and to ask first would be one more question.
    """
    from pyspark.errors import AnalysisException

    try:
        return look()
    except AnalysisException as error:
        if error.getCondition() not in (MISSING_IN_STORAGE if lake.catalog is None else MISSING_IN_CATALOGUE):
            raise
        return otherwise


def version_of(spark: SparkSession | None, lake: Lake, name: str) -> int:
    """The table's current version; -1 where it does not exist."""
    path = local_path(lake, name)
    if path is not None:
        from deltalake import DeltaTable

        return int(DeltaTable(str(path)).version()) if exists(spark, lake, name) else -1
    assert spark is not None
    sql = spark.sql
    history = f"DESCRIBE HISTORY {table_name(lake, name)} LIMIT 1"
    return _if_there(lake, lambda: int(sql(history).select("version").collect()[0][0]), -1)


def read_rows(spark: SparkSession | None, lake: Lake, table: Table) -> list[dict[str, Any]]:
    """All rows of a small ``ops`` table; none where it does not exist."""
    return fetch(spark, lake, table.name, table.column_names).to_pylist()


def fetch(spark: SparkSession | None, lake: Lake, name: str, columns: tuple[str, ...], where: str = "true") -> pa.Table:
    """Columns of a table as Arrow, without a JVM for a lake on this machine; no rows where it does not exist.

    ``where`` is SQL that both engines read. Times come as UTC.
    """
    import pyarrow as pa

    chosen = ", ".join(columns)
    if not exists(spark, lake, name):
        return pa.table({column: [] for column in columns})
    path = local_path(lake, name)
    if path is not None:
        from deltalake import DeltaTable, QueryBuilder

        query = QueryBuilder().register("t", DeltaTable(str(path)))
        return pa.table(query.execute(f"select {chosen} from t where {where}"))
    assert spark is not None
    return spark.table(table_name(lake, name)).where(where).select(*columns).toArrow()


def ask(spark: SparkSession | None, lake: Lake, question: str, **tables: str) -> pa.Table:
    """What a query over several tables says, as Arrow, without a JVM for a lake on this machine.

    ``question`` is SQL that both engines read; ``{alias}`` in it stands for a table, which has to exist. Only what comes
    out of it reaches the driver.
    """
    import pyarrow as pa

    if lake.local_root is not None:
        from deltalake import DeltaTable, QueryBuilder

        query = QueryBuilder()
        for alias, name in tables.items():
            query = query.register(alias, DeltaTable(str(local_path(lake, name))))
        return pa.table(query.execute(question.format(**{alias: alias for alias in tables})))
    assert spark is not None
    return spark.sql(question.format(**{alias: table_name(lake, name) for alias, name in tables.items()})).toArrow()


def read(spark: SparkSession, lake: Lake, table: Table) -> DataFrame:
    """The table's current rows, in the contract's columns."""
    return spark.table(table_name(lake, table.name)).select(*table.column_names)


def changed_rows(spark: SparkSession, lake: Lake, name: str, after: int, upto: int) -> DataFrame | None:
    """Rows of the change feed with ``after < version <= upto``, images before and after included; None where nothing
    changed between the two.
    """
    if upto <= after:
        return None
    reader = spark.read.format("delta").option("readChangeFeed", "true")
    reader = reader.option("startingVersion", str(after + 1)).option("endingVersion", str(upto))
    if lake.root is not None:
        return reader.load("/".join([lake.root, *name.split(".")]))
    # Spark Connect resolves a plan as a whole, and takes all mentions of a table's name in it to be one relation, whatever
    # their options are (SPARK-58330): of a table and its feed it would read one twice. What a view stands for was resolved
    # before.
    view = f"c360_feed_of_{name.replace('.', '_')}_{after + 1}_{upto}"
    reader.table(table_name(lake, name)).createOrReplaceTempView(view)
    return spark.table(view)


WIDER_TYPES: dict[str, tuple[T.DataType, ...]] = {"int": (T.LongType(), T.DoubleType(), T.DecimalType(18, 2))}
"""Type of a column -> the types that it can be widened to: those that hold each of its values as it is."""


def fits(found: T.DataType, wanted: T.DataType) -> bool:
    """Whether a column of the type found is of the type wanted, or can be widened to it."""
    return found == wanted or wanted in WIDER_TYPES.get(found.simpleString(), ())


def types_of(spark: SparkSession | None, lake: Lake, name: str) -> dict[str, T.DataType]:
    """Column -> type, as the table has them; empty where it does not exist."""
    path, schema = local_path(lake, name), T.StructType()
    if path is None:
        assert spark is not None
        table = spark.table
        schema = _if_there(lake, lambda: table(table_name(lake, name)).schema, schema)
    elif exists(spark, lake, name):
        from deltalake import DeltaTable

        schema = T.StructType.fromJson(json.loads(DeltaTable(str(path)).schema().to_json()))
    return {field.name: field.dataType for field in schema}


def ensure_table(spark: SparkSession, lake: Lake, table: Table) -> None:
    """Makes the table from its contract, or adds the columns that the contract has and the table lacks, and widens those
    that the contract has wider.
    """
    types = {name.lower(): kind for name, kind in types_of(spark, lake, table.name).items()}
    if not types:
        spark.sql(_create_statement(lake, table))
        return
    if any(c.type in WIDER_TYPES.get(types[c.name.lower()].simpleString(), ()) for c in table.columns if c.name.lower() in types):
        _widen(spark, lake, table)
    missing = [column for column in table.columns if column.name.lower() not in types]
    if missing:
        added = ", ".join(_column_definition(c.name, c.type, c.comment) for c in missing)
        spark.sql(f"ALTER TABLE {table_name(lake, table.name)} ADD COLUMNS ({added})")


def ensure_state(spark: SparkSession, lake: Lake, table: Table) -> None:
    """As :func:`ensure_table`, for a table that the caller fills from others as a whole: where a column is of another type
    now, which the old one cannot be widened to, the table is made anew and is empty.
    """
    held = types_of(spark, lake, table.name)
    if not all(fits(held.get(column.name, column.type), column.type) for column in table.columns):
        _keep_statistics_of(spark, lake, table, table.keys)  # Delta refuses those of some types, which another may become
        _overwrite(spark, lake, table, spark.createDataFrame([], table.schema))
    ensure_table(spark, lake, table)


def settle_labels(spark: SparkSession, lake: Lake, table: Table) -> None:
    """Gives a table the comments of its contract, and keeps the values of columns that became direct personal data out of
    the log from now on: what stands there goes when the files are written anew, and the log of them has expired.
    """
    name, schema = table_name(lake, table.name), spark.table(table_name(lake, table.name)).schema
    comments = {field.name: field.metadata.get("comment", "") for field in schema}
    properties = spark.sql(f"DESCRIBE DETAIL {name}").select("properties").collect()[0][0]
    if properties.get(STATISTICS) != _table_properties(table)[STATISTICS]:
        _keep_statistics_of(spark, lake, table, table.statistics_columns)
    for column in table.columns:
        if comments[column.name] != column.comment:
            spark.sql(f"ALTER TABLE {name} ALTER COLUMN `{column.name}` {comment_clause(column.comment)}")


def _keep_statistics_of(spark: SparkSession, lake: Lake, table: Table, columns: tuple[str, ...]) -> None:
    spark.sql(f"ALTER TABLE {table_name(lake, table.name)} SET TBLPROPERTIES ('{STATISTICS}' = '{_listed(columns)}')")


def _widen(spark: SparkSession, lake: Lake, table: Table) -> None:
    """Writes the table anew with the contract's types, in one commit. Delta's own widening in place would keep delta-rs, and
    with it every look at the table without a session, from reading it. A reader of the change feed finds it broken here,
    and looks at all keys.
    """
    held = spark.table(table_name(lake, table.name))
    contract = {column.name: column for column in table.columns}
    columns = [
        F.col(f"`{f.name}`").cast(contract[f.name].type).alias(f.name, metadata={"comment": contract[f.name].comment})
        if f.name in contract
        else F.col(f"`{f.name}`")
        for f in held.schema
    ]
    _overwrite(spark, lake, table, held.select(*columns))


def _overwrite(spark: SparkSession, lake: Lake, table: Table, rows: DataFrame) -> None:
    """Replaces rows and columns of a table, which keeps its properties and its layout."""
    writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    if lake.root is not None:
        writer.save(f"{lake.root}/{table.name.replace('.', '/')}")
    else:
        writer.saveAsTable(table_name(lake, table.name))
    if table.cluster_by:  # which an overwritten schema forgets
        spark.sql(f"ALTER TABLE {table_name(lake, table.name)} CLUSTER BY ({', '.join(table.cluster_by)})")


def _create_statement(lake: Lake, table: Table) -> str:
    columns = ", ".join(_column_definition(c.name, c.type, c.comment, c.nullable) for c in table.columns)
    shown = ", ".join(f"'{key}' = '{value}'" for key, value in sorted(_table_properties(table).items()))
    clustering = f" CLUSTER BY ({', '.join(table.cluster_by)})" if table.cluster_by else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {table_name(lake, table.name)} ({columns}) USING delta{clustering} "
        f"{comment_clause(table.comment)} TBLPROPERTIES ({shown})"
    )


def _table_properties(table: Table) -> dict[str, str]:
    return {
        "delta.enableChangeDataFeed": str(table.change_feed).lower(),
        "delta.enableDeletionVectors": str(table.deletion_vectors).lower(),
        STATISTICS: _listed(table.statistics_columns),
        **dict(table.properties),
    }


def _listed(columns: tuple[str, ...]) -> str:
    """Never empty: an empty list would put every column back into the statistics."""
    return ",".join(f"`{name}`" for name in columns)


def _column_definition(name: str, kind: T.DataType, comment: str, nullable: bool = True) -> str:
    not_null = "" if nullable else " NOT NULL"
    return f"`{name}` {kind.simpleString()}{not_null} {comment_clause(comment)}"


def comment_clause(text: str) -> str:
    """``COMMENT '...'`` as a statement that makes a table, a column or a view has it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"COMMENT '{escaped}'"


def append_rows(spark: SparkSession, lake: Lake, table: Table, rows: list[dict[str, Any]]) -> None:
    """Appends a few rows to a log. A lake on this machine gets them without a Spark job, in milliseconds."""
    ensure_table(spark, lake, table)
    path = local_path(lake, table.name)
    if path is None:
        append(
            lake, table, spark.createDataFrame([tuple(row[name] for name in table.column_names) for row in rows], table.schema)
        )
        return
    append_to_files(str(path), table, rows)


def append_to_files(place: str, table: Table, rows: list[dict[str, Any]]) -> None:
    """Appends a few rows to a log in a folder or in object storage without a session; makes it where it is not there yet."""
    import pyarrow as pa
    from deltalake import DeltaTable, Schema, write_deltalake

    if not DeltaTable.is_deltatable(place):
        schema = Schema.from_json(table.schema.json())
        DeltaTable.create(
            place, schema, mode="ignore", description=table.comment, configuration=_table_properties(table)
        )  # fmt: skip
    target = DeltaTable(place)
    write_deltalake(target, pa.Table.from_pylist(rows, pa.schema(target.schema().to_arrow())), mode="append")


def append(lake: Lake, table: Table, rows: DataFrame) -> None:
    """Appends rows to a table that this run has found empty, or to a log."""
    rows.select(*(f"`{name}`" for name in table.column_names)).writeTo(table_name(lake, table.name)).append()


def count_rows(spark: SparkSession | None, lake: Lake, name: str) -> int:
    """Rows of a table that exists; both engines answer from the log where they can."""
    if spark is None or lake.local_root is not None:
        return int(fetch(None, lake, name, ("count(*) as number",))["number"][0].as_py())
    return int(spark.table(table_name(lake, name)).count())


def union(frames: list[DataFrame]) -> DataFrame:
    """All rows of all frames, columns by name. There is at least one frame."""
    return reduce(lambda left, right: left.unionByName(right), frames)


def to_json(values: Mapping[str, Any]) -> str:
    """Counts or versions as ``ops`` tables keep them: equal values give equal text."""
    return json.dumps(dict(values), sort_keys=True, default=str)
