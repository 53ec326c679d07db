"""A table of three people: Ann and Bob in Bonn, and Eve in Köln."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from conf.tables.contract import Column, Table
from jobs.runtime.lake import Lake, fetch

TABLE = Table(
    name="silver.people",
    comment="People, for the tests' sake",
    columns=(
        Column("id", T.StringType(), "Id", nullable=False),
        Column("town", T.StringType(), "Town"),
        Column("name", T.StringType(), "Somebody's name", "direct"),
        Column("tags", T.MapType(T.StringType(), T.StringType()), "Tags", "direct"),
    ),
    keys=("id",),
)
Person = tuple[str, str, str | None]
ANN, BOB, EVE = ("1", "Bonn", "Annabel"), ("2", "Bonn", "Bobby"), ("3", "Köln", "Eveline")


def people(spark: SparkSession, *rows: Person) -> DataFrame:
    return spark.createDataFrame([(*row, {"of": row[0]}) for row in rows], TABLE.schema)


def counts(**given: int) -> dict[str, int]:
    return {"inserted": 0, "updated": 0, "deleted": 0, **given}


def held(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in fetch(None, lake, TABLE.name, ("id", "town", "name")).to_pylist())
