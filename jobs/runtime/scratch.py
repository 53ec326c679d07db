"""Rows that are computed once and read more than once: held by the driver where they are few, written down where not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs.runtime.lake import Lake, table_name

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

HELD_ROWS = 20_000
"""Rows that the driver holds at most."""


def compute_once(spark: SparkSession, lake: Lake, name: str, rows: DataFrame, few: bool) -> tuple[DataFrame, pa.Table | None]:
    """``rows``, computed once, and themselves where the driver holds them; None where they were written down.

    ``few`` says that they are expected to be: writing them, listing what was written and reading it again takes longer
    than computing some hundred rows. Where they turn out to be more than 20,000, they are computed again and written down.
    """
    held = _few_of(rows) if few else None
    if held is None:
        return scratch(spark, lake, name, rows), None
    return spark.createDataFrame(held, rows.schema), held


def hold(spark: SparkSession, rows: DataFrame, few: bool) -> DataFrame:
    """``rows``, computed once and held by the driver where they are few; as they are where they are many or not expected
    (``few``) to be few. For rows that a query names more than once: Spark plans all that they come from each time, and
    with few rows that is what takes the time.
    """
    held = _few_of(rows) if few else None
    return rows if held is None else spark.createDataFrame(held, rows.schema)


def _few_of(rows: DataFrame) -> pa.Table | None:
    """The rows, or None where they are more than the driver holds."""
    held = rows.limit(HELD_ROWS + 1).toArrow()
    return held if held.num_rows <= HELD_ROWS else None


def scratch(spark: SparkSession, lake: Lake, name: str, rows: DataFrame) -> DataFrame:
    """``rows``, computed once and read back: what a cache would be where sessions may not keep one."""
    if lake.root is not None:
        path = f"{lake.root}/_scratch/{name}"
        rows.write.mode("overwrite").parquet(path)
        return spark.read.schema(rows.schema).parquet(path)
    table = table_name(lake, f"ops.scratch_{name}")
    # Without statistics: these rows may be personal, and statistics would spell them into the log.
    writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    writer.option("delta.dataSkippingNumIndexedCols", "0").saveAsTable(table)
    return spark.table(table)


def clear_scratch(session: Callable[[], SparkSession], lake: Lake) -> None:
    """Removes what runs left behind: in the lake's scratch folder, or as tables of its catalogue.

    In object storage the folder is overwritten with nothing, which every session can do; an empty file stays.
    """
    if lake.local_root is not None:
        shutil.rmtree(lake.local_root / "_scratch", ignore_errors=True)
    elif lake.root is not None:
        session().range(0).selectExpr("cast(id as string)").write.mode("overwrite").text(f"{lake.root}/_scratch")
    else:
        schema = f"`{lake.catalog}`.`{lake.schema_prefix}ops`"
        for row in session().sql(f"SHOW TABLES IN {schema} LIKE 'scratch_*'").collect():
            session().sql(f"DROP TABLE IF EXISTS {schema}.`{row['tableName']}`")
