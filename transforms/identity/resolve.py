"""Resolution on Spark: the links go through one task, as Arrow, to the solver and back.

Components cross every partition, so finding them in Spark alone takes a shuffle of all links for every step of the
longest path. One task that holds identifiers as integers needs none, and is several times faster up to tens of millions
of links; what it takes is memory for them on one worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import types as T

from conf.tables.contract import Table
from conf.tables.silver import IDENTITIES, IDENTITY_LINKS
from transforms.identity.components import REASONS, Solution, severed_from, solve_graph
from transforms.identity.graph import NO_TIME, Graph, Mask, number_links
from transforms.identity.ids import Codes
from transforms.identity.packing import (
    BATCH,
    GIVEN,
    GIVEN_LINK,
    GIVEN_LINKS,
    IDENTITY,
    LINK,
    OWNS,
    PACKED_LINKS,
    SOLVED,
    named,
    packed_links,
    packed_row,
    packed_rows,
    plain,
    read,
    solution_schema,
    unpacked,
    written,
)
from transforms.identity.rules import SETTLED, ResolutionRules


def solve(links: DataFrame, rules: ResolutionRules) -> DataFrame:
    """Links -> a packed frame of what was found: see :func:`identities_of`, :func:`links_of`, :func:`solution_of`.

    ``links`` has the columns of :func:`transforms.identity.links.link_identifiers`, and may have ``settled``
    (:func:`transforms.identity.scope.links_in_scope`). What is ``blocked`` is no link: it comes back with that as its
    reason, and nothing is made of it. Write the result down before reading both kinds from it: each read of it solves
    anew.
    """
    return solve_packed(pack_links(links), rules)


def pack_links(links: DataFrame) -> DataFrame:
    """Links as a frame of few rows, which is cheap to write down and to send to one task; ``size``: how many in a row."""
    columns = [*GIVEN, *(name for name in ("blocked", "settled") if name in links.columns)]
    return links.select(*columns).mapInArrow(packed_links, PACKED_LINKS)


def solve_packed(packed: DataFrame, rules: ResolutionRules) -> DataFrame:
    """:func:`solve` for links that :func:`pack_links` has packed."""
    return packed.repartition(1).mapInArrow(partial(_solved_batches, rules=rules), SOLVED)


def unpacked_links(packed: DataFrame) -> DataFrame:
    """The links that :func:`pack_links` has packed, as rows, with ``blocked`` and ``settled`` (null where there was none)."""
    return packed.mapInArrow(partial(unpacked, kinds=(GIVEN_LINK,), schema=GIVEN_LINKS), GIVEN_LINKS)


def solution_of(solved: DataFrame) -> DataFrame:
    """Identities and links in one frame, told apart by ``kind``: for a few lines, where solving twice costs more."""
    return solved.mapInArrow(partial(unpacked, kinds=(IDENTITY, LINK), schema=solution_schema()), solution_schema())


def identities_of(solved: DataFrame) -> DataFrame:
    """One row per identifier, in the contract of ``silver.identities``."""
    return _rows_of(solved, IDENTITY, IDENTITIES)


def links_of(solved: DataFrame) -> DataFrame:
    """One row per link with why it is ``severed``, in the contract of ``silver.identity_links``."""
    return _rows_of(solved, LINK, IDENTITY_LINKS)


def _rows_of(solved: DataFrame, kind: str, table: Table) -> DataFrame:
    schema = T.StructType([T.StructField(field.name, field.dataType) for field in table.schema])
    return solved.mapInArrow(partial(unpacked, kinds=(kind,), schema=schema), schema)


def _solved_batches(batches: Iterator[pa.RecordBatch], rules: ResolutionRules) -> Iterator[pa.RecordBatch]:
    """All links of the one partition, packed -> the same with what was found. Runs on a worker."""
    given = [row for batch in batches for row in packed_rows(batch)]
    if not given:
        return
    links = [read(row["links"]) for row in given]
    are_links = [_are_links(batch) for batch in links]
    counted = [batch if mask.all() else batch.filter(pa.array(mask)) for batch, mask in zip(links, are_links, strict=True)]
    graph = number_links(counted, rules.config.ranks)
    solution = solve_graph(graph, rules, np.concatenate([_are_settled(batch) for batch in counted]))
    bounds = np.cumsum([0, *(batch.num_rows for batch in counted)])
    shown = _shown_by_batch(graph, bounds, _owned(graph, counted))
    for number, (places, vertices) in enumerate(shown):
        row, batch, mask = given[number], links[number], are_links[number]
        severed = _severed(batch, mask, solution.fate[bounds[number] : bounds[number + 1]], rules)
        identities = _identities(graph, solution, _places_in_batch(places, mask), vertices)
        parts = (row["links"].as_buffer(), row["shown"].as_buffer(), written({"severed": severed}), written(identities))
        yield packed_row(SOLVED, batch.num_rows, *parts)


def solved_part(part: pa.Table, rules: ResolutionRules) -> Iterator[pa.RecordBatch]:
    """Rows of links, all in one table -> packed batches of what was found.

    ``owns_one`` and ``owns_other`` say of which ends to tell: a link is told where its first one is owned.
    """
    yield from _solved_batches(packed_links(iter(part.to_batches(max_chunksize=BATCH))), rules)


def _are_links(batch: pa.RecordBatch) -> Mask:
    """False for each row that is only listed, because its other identifier is blocked."""
    if "blocked" not in batch.schema.names:
        return np.ones(batch.num_rows, bool)
    return batch["blocked"].is_null().to_numpy(zero_copy_only=False)


def _are_settled(batch: pa.RecordBatch) -> Mask:
    if "settled" not in batch.schema.names:
        return np.zeros(batch.num_rows, bool)
    return batch["settled"].is_valid().to_numpy(zero_copy_only=False)


def _severed(batch: pa.RecordBatch, are_links: Mask, fate: Codes, rules: ResolutionRules) -> pa.Array:
    """Why each row of a batch is not followed: blocked, settled beyond the part that was asked for, or as was found."""
    codes = np.full(batch.num_rows, SETTLED, np.int64)
    codes[are_links] = fate
    known = [plain(batch[name]) for name in ("blocked", "settled") if name in batch.schema.names]
    return pc.coalesce(*known, plain(named(codes, rules.reasons)))


def _owned(graph: Graph, links: list[pa.RecordBatch]) -> Codes:
    """The vertices to tell of: all, or those that are owned."""
    if OWNS[0] not in links[0].schema.names:
        return np.arange(graph.size)
    owned = np.concatenate([batch[name].to_numpy(zero_copy_only=False) for name in OWNS for batch in links])
    return np.flatnonzero(owned[graph.shown_by])


def _shown_by_batch(graph: Graph, bounds: Codes, told: Codes) -> Iterator[tuple[Codes, Codes]]:
    """For each batch of links the places, among its left ends followed by its right ends, that are the first to show an
    identifier that is told of; and those identifiers' vertices.
    """
    count = len(graph.left)
    is_first = np.zeros(2 * count, bool)
    is_first[graph.shown_by[told]] = True
    place = np.flatnonzero(is_first)
    vertex = np.concatenate([graph.left, graph.right])[place]
    lefts, rights = np.searchsorted(place, bounds), np.searchsorted(place, bounds + count)
    for number, (start, end) in enumerate(pairwise(bounds)):
        left, right = slice(lefts[number], lefts[number + 1]), slice(rights[number], rights[number + 1])
        here = np.concatenate([place[left] - start, place[right] - count - start + (end - start)])
        yield here, np.concatenate([vertex[left], vertex[right]])


def _places_in_batch(places: Codes, are_links: Mask) -> Codes:
    """Places among the ends of a batch's links as places among the ends of all its rows."""
    rows = np.flatnonzero(are_links)
    return np.concatenate([rows, rows + len(are_links)])[places]


def _identities(graph: Graph, solution: Solution, places: Codes, vertices: Codes) -> dict[str, pa.Array]:
    return {
        "place": pa.array(places),
        "component_id": graph.ids.take(solution.component[vertices]),
        "profile_id": graph.ids.take(solution.anchor[vertices]),
        "reason": named(solution.reason[vertices], REASONS),
        "first_seen": _times(solution.first_seen[vertices]),
        "last_seen": _times(solution.last_seen[vertices]),
        "times": pa.array(solution.times[vertices]),
        "severed_from": severed_from(graph, solution, vertices),
    }


def _times(microseconds: Codes) -> pa.Array:
    return pa.array(microseconds, pa.int64(), mask=microseconds == NO_TIME).cast(pa.timestamp("us", tz="UTC"))
