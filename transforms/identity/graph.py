"""Links as arrays of numbers, so that deciding who is who needs no comparison of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf.errors import BadInputError
from transforms.identity.ids import Codes, Ids, number
from transforms.identity.rules import Pair

Mask = NDArray[np.bool_]

NO_TIME = np.iinfo(np.int64).min
"""A missing time as an integer."""

_TIME = pa.timestamp("us", tz="UTC")
_NUMBERED = {
    "identifier_id": pa.string(), "namespace": pa.string(), "other_identifier_id": pa.string(),
    "other_namespace": pa.string(), "first_seen": _TIME, "last_seen": _TIME, "times": pa.int64(),
}  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """Identifiers as vertices ``0..size-1`` in the order of their ids, links as pairs of vertices.

    ``ranks``: of each vertex, its namespace's rank. ``shown_by``: of each vertex, where it stands in the list of all
    left ends followed by all right ends. Times are microseconds since 1970 (UTC) of each link.
    """

    ids: Ids
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
        found = self.ids.find([end for pair in pairs for end in pair]).reshape(-1, 2)
        return found[(found >= 0).all(axis=1)]

    def links_among(self, pairs: Codes) -> Mask:
        """True for each link whose ends are one of ``pairs``, in either direction."""
        if not len(pairs):
            return np.zeros(len(self.left), bool)
        smaller, larger = np.minimum(self.left, self.right), np.maximum(self.left, self.right)
        return np.isin(smaller * self.size + larger, pairs.min(axis=1) * self.size + pairs.max(axis=1))


def as_batch(links: pd.DataFrame) -> pa.RecordBatch:
    """A frame of links as Arrow, in the columns that numbering them takes."""
    return pa.record_batch({name: pa.array(links[name], kind, safe=False) for name, kind in _NUMBERED.items()})


def number_links(links: Sequence[pa.RecordBatch], ranks: dict[str, int]) -> Graph:
    """The graph of batches of links, whose ids are text or packed (:mod:`transforms.identity.ids`).

    Raises BadInputError for a null id, and for a namespace without a rank.
    """
    codes, ids, shown_by = number(_of_both_ends(links, "identifier_id"))
    if (codes < 0).any():
        raise BadInputError("a link has an end without an identifier_id; expected both ends on every link")
    count = len(codes) // 2
    return Graph(
        ids=ids,
        left=codes[:count],
        right=codes[count:],
        ranks=_ranks(_of_both_ends(links, "namespace"), ranks)[shown_by],
        shown_by=shown_by,
        first_seen=np.concatenate([_microseconds(batch["first_seen"]) for batch in links]),
        last_seen=np.concatenate([_microseconds(batch["last_seen"]) for batch in links]),
        times=np.concatenate([batch["times"].to_numpy(zero_copy_only=False) for batch in links]).astype(np.int64, copy=False),
    )


def _of_both_ends(links: Sequence[pa.RecordBatch], name: str) -> list[pa.Array]:
    return [batch[end] for end in (name, f"other_{name}") for batch in links]


def _ranks(namespaces: list[pa.Array], ranks: dict[str, int]) -> Codes:
    found, undeclared = [np.empty(0, np.int64)], set()
    for piece in namespaces:
        coded = piece if isinstance(piece, pa.DictionaryArray) else piece.dictionary_encode()
        rank_of = [ranks.get(name, -1) for name in coded.dictionary.to_pylist()]
        found.append(np.array([*rank_of, -1], np.int64)[coded.indices.fill_null(len(rank_of)).to_numpy()])
        if (found[-1] < 0).any():
            undeclared |= {str(name) for name in piece.unique().to_pylist() if name is not None} - set(ranks)
            undeclared |= {"null"} if piece.null_count else set()
    if undeclared:
        raise BadInputError(f"links have the namespace {', '.join(sorted(undeclared))}; declared are {', '.join(ranks)}")
    return np.concatenate(found)


def _microseconds(times: pa.Array) -> Codes:
    return pc.fill_null(times.cast(pa.int64()), NO_TIME).to_numpy(zero_copy_only=False)
