"""Resolution on Spark: the links go through one task, as Arrow, to the solver and back.

Components cross every partition, so finding them in Spark alone takes a shuffle of all links for every step of the
longest path. One task that holds identifiers as integers needs none, and is several times faster up to tens of millions
of links; what it takes is memory for them on one worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.tables.silver import IDENTITIES, IDENTITY_LINKS
from transforms.identity.components import solve_identities
from transforms.identity.rules import ResolutionRules

IDENTITY, LINK = "identity", "link"
_GIVEN = tuple(name for name in IDENTITY_LINKS.column_names if name != "severed")
_USED = tuple(name for name in _GIVEN if name != "sources")


_BATCH = 100_000
_ARROW_TYPES = {
    T.StringType(): pa.string(),
    T.LongType(): pa.int64(),
    T.TimestampType(): pa.timestamp("us", tz="UTC"),
    T.ArrayType(T.StringType()): pa.list_(pa.string()),
}


def _solved_schema() -> T.StructType:
    """``kind`` and the columns of both tables, each once; every one may be null in rows of the other kind."""
    types = {field.name: field.dataType for table in (IDENTITIES, IDENTITY_LINKS) for field in table.schema}
    return T.StructType([T.StructField("kind", T.StringType()), *(T.StructField(*item) for item in types.items())])


def solve(links: DataFrame, rules: ResolutionRules) -> DataFrame:
    """Links -> identities and links in one frame, told apart by ``kind``: see :func:`identities_of`, :func:`links_of`.

    ``links`` has the columns of :func:`transforms.identity.links.link_identifiers`, and may have ``settled``
    (:func:`transforms.identity.scope.links_in_scope`). What is ``blocked`` is no link: it comes back with that as its
    reason, and nothing is made of it. Write the result down before reading both kinds from it: each read of it solves
    anew.
    """
    columns = [*_GIVEN, *(name for name in ("blocked", "settled") if name in links.columns)]
    schema = _solved_schema()
    return links.select(*columns).repartition(1).mapInArrow(partial(_solve_batches, rules=rules), schema)


def identities_of(solved: DataFrame) -> DataFrame:
    """One row per identifier, in the contract of ``silver.identities``."""
    return solved.where(F.col("kind") == IDENTITY).select(*IDENTITIES.column_names)


def links_of(solved: DataFrame) -> DataFrame:
    """One row per link with why it is ``severed``, in the contract of ``silver.identity_links``."""
    return solved.where(F.col("kind") == LINK).select(*IDENTITY_LINKS.column_names)


def _solve_batches(batches: Iterator[pa.RecordBatch], rules: ResolutionRules) -> Iterator[pa.RecordBatch]:
    """All links of the one partition -> all rows of the solution. Runs on a worker."""
    received = list(batches)
    if not received:
        return
    links = pa.Table.from_batches(received)
    if "blocked" in links.column_names:
        is_link = pc.is_null(links["blocked"])
        blocked = links.filter(pc.invert(is_link))
        yield from _rows(blocked.select(list(_GIVEN)).append_column("severed", blocked["blocked"]), LINK)
        links = links.filter(is_link)
    used = [name for name in (*_USED, "settled") if name in links.column_names]
    identities, solved = solve_identities(links.select(used).to_pandas(types_mapper=pd.ArrowDtype), rules)
    severed = pa.array(solved["severed"], pa.string(), from_pandas=True)
    yield from _rows(pa.Table.from_pandas(identities, preserve_index=False), IDENTITY)
    yield from _rows(links.select(list(_GIVEN)).append_column("severed", severed), LINK)


def _rows(table: pa.Table, kind: str) -> Iterator[pa.RecordBatch]:
    """The table with the columns of the solved schema, in its order."""
    columns = {"kind": pa.repeat(kind, len(table))}
    for field in _solved_schema().fields[1:]:
        is_there = field.name in table.column_names
        columns[field.name] = table[field.name] if is_there else pa.nulls(len(table), _arrow_type(field.dataType))
    typed = pa.schema([(name, _arrow_type(field.dataType)) for name, field in zip(columns, _solved_schema(), strict=True)])
    yield from pa.table(columns).cast(typed).to_batches(max_chunksize=_BATCH)


def _arrow_type(data_type: T.DataType) -> pa.DataType:
    return _ARROW_TYPES[data_type]
