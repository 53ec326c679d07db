"""Makes a table hold what was computed, by a MERGE of nothing but the rows that differ."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.tables.contract import Table
from jobs.runtime.lake import Lake, append, count_rows, ensure_table, read, settle_labels, table_name, version_of
from jobs.runtime.scratch import compute_once, hold

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

NAMED_DAYS = 100
"""Days that are told as literals at most."""
LARGE = 200_000
"""Rows of a table from which joining it with what changes costs more than a second commit."""


def merge(
    spark: SparkSession,
    lake: Lake,
    table: Table,
    rows: DataFrame,
    *,
    scope: DataFrame | None = None,
    scope_keys: tuple[str, ...] = (),
    update_when: str = "true",
    insert_only: bool = False,
    delete_missing: bool = True,
    few: bool = False,
    days: list[date] | None = None,
) -> dict[str, int]:
    """Makes the table hold ``rows``, writing only what differs, and says how many rows that were. No difference, no commit.

    ``rows`` has one row per key. Without ``scope`` they are the whole table, and rows of other keys are deleted; with
    it, they are all rows whose ``scope_keys`` are in ``scope``, and only such rows are deleted where they are missing.
    ``update_when`` (over ``s``, what arrives, and ``t``, what is there) narrows which rows may be replaced.
    ``insert_only`` and ``delete_missing=False`` leave rows alone that are there, or that are missing. ``few``: the caller
    expects few differences, as of few keys (:func:`jobs.runtime.scratch.compute_once`); should they be many, it is slower.
    ``days`` are those of the scope, where a key is a day and they are few (:func:`days_of`).

    What changes is one commit; in a large table new rows are a commit of their own after the changed ones, where neither
    means anything for the other: nothing is deleted, and the table is no history.
    """
    if version_of(spark, lake, table.name) <= 0:  # not made yet, or made by a run that was killed before it wrote
        ensure_table(spark, lake, table)
        append(lake, table, rows)
        return {"inserted": count_rows(spark, lake, table.name), "updated": 0, "deleted": 0}
    ensure_table(spark, lake, table)
    if scope is None and delete_missing and not insert_only:  # the whole table, as after every change of what is declared
        settle_labels(spark, lake, table)
    rows = rows.select(*(f"`{name}`" for name in table.column_names))
    held = read(spark, lake, table)
    if insert_only:
        changes = rows.join(held.select(*table.keys), list(table.keys), "left_anti").withColumn("_change", F.lit("inserted"))
    else:
        if scope is not None:
            held = held.join(F.broadcast(scope.select(*scope_keys)), list(scope_keys), "left_semi")
            day = _day_among(table)
            held = held if day is None else held.where(on_days(day, days))
        if not delete_missing or (scope is not None and set(scope_keys) != set(table.keys)):
            # What arrives may have keys outside the scope; it has to meet what is there under them.
            rows = hold(spark, rows, few)
            found = read(spark, lake, table).join(F.broadcast(rows.select(*table.keys)), list(table.keys), "left_semi")
            held = found if not delete_missing else held.unionByName(found).dropDuplicates(list(table.keys))
        changes = _changes(table, rows, held, update_when, delete_missing)
    changes, held_rows = compute_once(spark, lake, f"changes_{table.name.replace('.', '_')}", changes, few)
    counts = {"inserted": 0, "updated": 0, "deleted": 0, **_count_changes(changes, held_rows)}
    new_apart = not counts["deleted"] and not table.history and counts["inserted"] > 0 and _is_large(spark, lake, table)
    if counts["updated"] + counts["deleted"]:
        _write_changes(spark, lake, table, changes, held_rows, with_new=counts["inserted"] > 0 and not new_apart)
    if counts["inserted"] and (new_apart or not counts["updated"] + counts["deleted"]):
        append(lake, table, changes.where(F.col("_change") == "inserted"))
    return counts


def _is_large(spark: SparkSession, lake: Lake, table: Table) -> bool:
    return count_rows(spark, lake, table.name) >= LARGE


def days_of(keys: DataFrame, column: str, few: bool) -> list[date] | None:
    """The days that few keys have in a column; None for many keys, and for more than 100 days."""
    return _days_in(keys.select(column).toArrow(), column) if few else None


def on_days(column: str, days: list[date] | None) -> Column:
    """Whether a row is of one of these days; true without any. Told as literals, days let Delta leave other files unread."""
    return F.lit(True) if days is None else F.col(column).isin(days)


def _days_in(rows: pa.Table, column: str) -> list[date] | None:
    days = rows[column].unique().to_pylist()
    return days if len(days) <= NAMED_DAYS and None not in days else None


def _day_among(table: Table) -> str | None:
    """The key that is a day."""
    return next((c.name for c in table.columns if c.name in table.keys and isinstance(c.type, T.DateType)), None)


def _count_changes(changes: DataFrame, held: pa.Table | None) -> dict[str, int]:
    if held is not None:
        return dict(Counter(held["_change"].to_pylist()))
    return {row["_change"]: row["count"] for row in changes.groupBy("_change").count().collect()}


def _changes(table: Table, rows: DataFrame, held: DataFrame, update_when: str, delete_missing: bool) -> DataFrame:
    """What has to be written: each row as it is to be, with ``_change``: inserted, updated or deleted."""
    s = rows.withColumn("_arrives", F.lit(True)).alias("s")
    t = held.withColumn("_is_there", F.lit(True)).alias("t")
    on = [F.col(f"s.`{key}`") == F.col(f"t.`{key}`") for key in table.keys]
    change = (
        F.when(F.col("t._is_there").isNull(), "inserted")
        .when(F.col("s._arrives").isNull(), "deleted" if delete_missing else None)
        .when(F.expr(f"{_differs(table)} AND {update_when}"), "updated")
    )
    joined = s.join(t, on, "full").withColumn("_change", change).where(F.col("_change").isNotNull())
    columns = (f"IF(_change = 'deleted', t.`{name}`, s.`{name}`) AS `{name}`" for name in table.column_names)
    return joined.selectExpr(*columns, "_change")


def _write_changes(
    spark: SparkSession, lake: Lake, table: Table, changes: DataFrame, held: pa.Table | None, with_new: bool
) -> None:
    """One MERGE. Without new rows Delta joins what is there with what changes, which is small enough to be sent to every
    task; with them it is an outer join, for which all rows of the files that are touched are shuffled.
    """
    view = f"c360_changes_of_{table.name.replace('.', '_')}"
    changes.createOrReplaceTempView(view)
    columns = ", ".join(f"`{name}`" for name in table.column_names)
    values = ", ".join(f"s.`{name}`" for name in table.column_names)
    sets = ", ".join(f"`{name}` = s.`{name}`" for name in table.column_names)
    on = " AND ".join([*(f"t.`{key}` = s.`{key}`" for key in table.keys), *_on_days(table, held)])
    clauses = ["WHEN MATCHED AND s._change = 'deleted' THEN DELETE", f"WHEN MATCHED THEN UPDATE SET {sets}"]
    if with_new:
        clauses.append(f"WHEN NOT MATCHED AND s._change = 'inserted' THEN INSERT ({columns}) VALUES ({values})")
    spark.sql(f"MERGE INTO {table_name(lake, table.name)} t USING {view} s ON {on} {' '.join(clauses)}")
    spark.catalog.dropTempView(view)


def _on_days(table: Table, held: pa.Table | None) -> list[str]:
    """Says the days of the changes once more, as literals: the search for rows to replace leaves files of others unread."""
    day = _day_among(table)
    days = None if held is None or day is None else _days_in(held, day)
    literals = ", ".join(f"DATE '{one}'" for one in days or ())
    return [f"t.`{day}` IN ({literals})"] if literals else []


def _differs(table: Table) -> str:
    """SQL that is true where source ``s`` and target ``t`` differ in a column that is no key; the order of a map is none."""

    def same(name: str, kind: T.DataType) -> str:
        if isinstance(kind, T.MapType):
            return f"array_sort(map_entries(s.`{name}`)) <=> array_sort(map_entries(t.`{name}`))"
        return f"s.`{name}` <=> t.`{name}`"

    compared = [same(c.name, c.type) for c in table.columns if c.name not in table.keys]
    return "NOT (" + " AND ".join(compared) + ")" if compared else "false"
