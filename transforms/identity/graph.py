"""Links as arrays of numbers, so that deciding who is who needs no comparison of texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf.errors import BadInputError
from transforms.identity.rules import Pair

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

NO_TIME = np.iinfo(np.int64).min
"""A missing time as an integer."""


@dataclass(frozen=True)
class Graph:
    """Identifiers as vertices ``0..size-1`` in the order of their ids, links as pairs of vertices.

    ``ranks``: of each vertex, its namespace's rank. ``shown_by``: of each vertex, where it stands in the list of all
    left ends followed by all right ends. Times are microseconds since 1970 (UTC) of each link.
    """

    ids: pd.Index
    left: Codes
    right: Codes
    ranks: Codes
    shown_by: Codes
    first_seen: Codes
    last_seen: Codes
    times: Codes

    @property
    def size(self) -> int:
        """How many identifiers there are."""
        return len(self.ids)

    @property
    def between(self) -> Mask:
        """True for each link between two identifiers; False where one was seen by itself."""
        return self.left != self.right

    def vertices(self, pairs: tuple[Pair, ...]) -> Codes:
        """Those of the pairs whose both ends were seen, as two columns of vertices."""
        if not pairs:
            return np.empty((0, 2), np.int64)
        found = self.ids.get_indexer([end for pair in pairs for end in pair]).reshape(-1, 2).astype(np.int64)
        return found[(found >= 0).all(axis=1)]

    def links_among(self, pairs: Codes) -> Mask:
        """True for each link whose ends are one of ``pairs``, in either direction."""
        if not len(pairs):
            return np.zeros(len(self.left), bool)
        smaller, larger = np.minimum(self.left, self.right), np.maximum(self.left, self.right)
        return np.isin(smaller * self.size + larger, pairs.min(axis=1) * self.size + pairs.max(axis=1))


def number_links(links: pd.DataFrame, ranks: dict[str, int]) -> Graph:
    """The graph of a frame of links. Raises BadInputError for a null id, and for a namespace without a rank."""
    codes, ids = pd.factorize(pd.concat([links["identifier_id"], links["other_identifier_id"]], ignore_index=True))
    if (codes < 0).any():
        raise BadInputError("a link has an end without an identifier_id; expected both ends on every link")
    order = _alphabetical(ids)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order))
    codes = numbers[codes]
    shown_by = np.empty(len(order), np.int64)
    shown_by[codes] = np.arange(len(codes))
    rank_of_end = _ranks(pd.concat([links["namespace"], links["other_namespace"]], ignore_index=True), ranks)
    return Graph(
        ids=pd.Index(ids.take(order)),
        left=codes[: len(links)],
        right=codes[len(links) :],
        ranks=rank_of_end[shown_by],
        shown_by=shown_by,
        first_seen=_microseconds(links["first_seen"]),
        last_seen=_microseconds(links["last_seen"]),
        times=links["times"].to_numpy(np.int64),
    )


def _alphabetical(ids: pd.Index) -> Codes:
    if isinstance(ids.dtype, pd.ArrowDtype):
        return np.asarray(pc.sort_indices(pa.array(ids)), np.int64)
    return np.argsort(ids.to_numpy(dtype=object), kind="stable")


def _ranks(namespaces: pd.Series, ranks: dict[str, int]) -> Codes:
    codes, names = pd.factorize(namespaces)
    undeclared = sorted({str(name) for name in names} - set(ranks)) + ["null"] * bool((codes < 0).any())
    if undeclared:
        raise BadInputError(f"links have the namespace {', '.join(undeclared)}; declared are {', '.join(ranks)}")
    return np.array([ranks[str(name)] for name in names], np.int64)[codes]


def _microseconds(times: pd.Series) -> Codes:
    if not isinstance(times.dtype, pd.ArrowDtype):
        times = pd.to_datetime(times, utc=True)
    return times.to_numpy(dtype="datetime64[us]").view(np.int64)
