"""Links on their way to the one task that solves them and back, packed: a row of a packed frame is a batch of links.

Turning rows into arrays and arrays into rows is most of the work, and every worker can do its part of it; the one task
only passes batches on. It looks into ``links`` (ids in 128 bits, namespaces, times) and never into ``shown``, where the
texts are. What it finds goes along with the batch that shows it: why links are severed, and who the identifiers are that
this batch is the first to show. So no text is joined to anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types as T

from conf.tables.silver import IDENTITIES, IDENTITY_LINKS
from transforms.identity.ids import pack, unpack

IDENTITY, LINK, GIVEN_LINK = "identity", "link", "given link"
BATCH = 10_000
"""Links in a batch where the session does not say."""

GIVEN = tuple(name for name in IDENTITY_LINKS.column_names if name != "severed")
_IDS = ("identifier_id", "other_identifier_id")
_SHOWN = ("value", "other_value", "sources")
_FEW_VALUES = ("namespace", "other_namespace", "blocked", "settled")
OWNS = ("owns_one", "owns_other")
"""Of a link that is solved in parts: whether its ends are this part's to tell of."""

GIVEN_LINKS = T.StructType(
    [T.StructField(field.name, field.dataType) for field in IDENTITY_LINKS.schema if field.name in GIVEN]
    + [T.StructField(name, T.StringType()) for name in ("blocked", "settled")]
)
"""Links as they go in."""


PACKED_LINKS = T.StructType(
    [T.StructField("size", T.LongType()), T.StructField("links", T.BinaryType()), T.StructField("shown", T.BinaryType())]
)
"""A batch of links: how many, what the solver looks into, and what it does not."""

SOLVED = T.StructType(
    [*PACKED_LINKS.fields, T.StructField("severed", T.BinaryType()), T.StructField("identities", T.BinaryType())]
)
"""A batch of links with what was found."""

_ARROW_TYPES = {
    T.StringType(): pa.string(),
    T.LongType(): pa.int64(),
    T.TimestampType(): pa.timestamp("us", tz="UTC"),
    T.ArrayType(T.StringType()): pa.list_(pa.string()),
}


def solution_schema() -> T.StructType:
    """``kind`` and the columns of both tables, each once; every one may be null in rows of the other kind."""
    types = {field.name: field.dataType for table in (IDENTITIES, IDENTITY_LINKS) for field in table.schema}
    return T.StructType([T.StructField("kind", T.StringType()), *(T.StructField(*item) for item in types.items())])


def packed_links(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of links -> packed batches of them. Runs on a worker."""
    for batch in batches:
        if batch.num_rows:
            columns = {name: batch[name] for name in batch.schema.names}
            packed = [pack(columns[name]) for name in _IDS]
            if all(ids is not None for ids in packed):
                columns.update(zip(_IDS, packed, strict=True))
            for name in columns.keys() & set(_FEW_VALUES):
                columns[name] = columns[name].dictionary_encode()
            for name in columns.keys() & {"blocked", "settled"}:
                if columns[name].null_count == batch.num_rows:
                    del columns[name]
            shown = {name: columns.pop(name) for name in _SHOWN}
            yield packed_row(PACKED_LINKS, batch.num_rows, written(columns), written(shown, compressed=True))


def packed_row(schema: T.StructType, size: int, *parts: pa.Buffer) -> pa.RecordBatch:
    """One row of a packed frame."""
    arrays = [pa.array([size], pa.int64()), *(_one_value(part) for part in parts)]
    return pa.record_batch(arrays, names=schema.names)


def _one_value(part: pa.Buffer) -> pa.Array:
    return pa.BinaryArray.from_buffers(pa.binary(), 1, [None, pa.py_buffer(np.array([0, part.size], np.int32)), part])


def written(columns: dict[str, pa.Array], compressed: bool = False) -> pa.Buffer:
    """Columns of one length as bytes."""
    batch, sink = pa.record_batch(columns), pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4" if compressed else None)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def read(packed: pa.Scalar) -> pa.RecordBatch:
    """What :func:`written` wrote."""
    with pa.ipc.open_stream(packed.as_buffer()) as stream:
        return stream.read_next_batch()


def packed_rows(batch: pa.RecordBatch) -> Iterator[dict[str, pa.Scalar]]:
    """The rows of a packed frame one by one, as scalars that point into it."""
    for row in range(batch.num_rows):
        yield {name: batch[name][row] for name in batch.schema.names}


def unpacked(batches: Iterator[pa.RecordBatch], kinds: tuple[str, ...], schema: T.StructType) -> Iterator[pa.RecordBatch]:
    """Packed or solved batches -> rows of these kinds, in the columns of ``schema``: some of :func:`solution_schema`. Runs on a
    worker.
    """
    for batch in batches:
        for row in packed_rows(batch):
            links, shown = read(row["links"]), read(row["shown"])
            columns = {name: unpack(links[name]) if name in _IDS else links[name] for name in links.schema.names}
            columns.update({name: shown[name] for name in shown.schema.names})
            if IDENTITY in kinds:
                yield _rows(IDENTITY, _identities(columns, read(row["identities"])), schema)
            if GIVEN_LINK in kinds:
                yield _rows(GIVEN_LINK, columns, schema)
            if LINK in kinds:
                yield _rows(LINK, _told({**columns, "severed": read(row["severed"])["severed"]}), schema)


def _identities(links: dict[str, pa.Array], found: pa.RecordBatch) -> dict[str, pa.Array]:
    """Whom a batch is the first to show: ``place`` is where, among all left ends followed by all right ends."""
    columns = {name: found[name] for name in found.schema.names}
    place = columns.pop("place")
    for name in ("identifier_id", "namespace", "value"):
        ends = pa.concat_arrays([plain(links[name]), plain(links[f"other_{name}"])])
        columns[name] = ends.take(place)
    return {**columns, "component_id": unpack(columns["component_id"]), "profile_id": unpack(columns["profile_id"])}


def _told(links: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The links of a batch whose first end is owned; all, where nobody says."""
    return {name: array.filter(links[OWNS[0]]) for name, array in links.items()} if OWNS[0] in links else links


def _rows(kind: str, columns: dict[str, pa.Array], schema: T.StructType) -> pa.RecordBatch:
    size = len(columns["identifier_id"])
    columns = {"kind": pa.repeat(kind, size), **columns}
    arrays = []
    for field in schema:
        wanted = _ARROW_TYPES[field.dataType]
        given = columns.get(field.name)
        arrays.append(pa.nulls(size, wanted) if given is None else plain(given).cast(wanted))
    return pa.record_batch(arrays, names=schema.names)


def plain(array: pa.Array) -> pa.Array:
    """The array's values as they are, where it holds numbers of them."""
    return pc.cast(array, array.type.value_type) if isinstance(array, pa.DictionaryArray) else array


def named(codes: np.ndarray, names: tuple[str | None, ...]) -> pa.Array:
    """Numbers as the names that they stand for; null where the name is None."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(names, pa.string()))
