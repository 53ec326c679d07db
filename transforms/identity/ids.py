"""Ids as numbers: every id once, in the order of the ids, and where it stands in that order.

An ``identifier_id`` is 32 hex characters, so 128 bits: two integers, which are compared and sorted many times faster than
text and take half the room. Both are kept whole, so that two ids are one only where all 128 bits agree. Ids of any other
form (those of tests, and whatever a lake may hold) are numbered as text; the order is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Halves = NDArray[np.uint64]

PACKED = pa.binary(16)
"""An id of 32 hex characters as its 128 bits."""

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_PAIR_OF = (_HEX[np.arange(256) >> 4].astype(np.uint16) | (_HEX[np.arange(256) & 15].astype(np.uint16) << 8)).astype("<u2")
"""Of each byte, its two hex characters, as they stand in memory."""
_BYTE_OF = np.full(65536, 256, np.uint16)
_BYTE_OF[_PAIR_OF] = np.arange(256)
_WIDTH = 32


class Ids(Protocol):
    """Distinct ids in their order."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def find(self, texts: Sequence[str]) -> Codes:
        """Where each text stands; -1 for one that is not there."""
        ...

    def take(self, numbers: Codes) -> pa.Array:
        """The ids of these numbers: text, or ``PACKED``."""
        ...


@dataclass(frozen=True)
class TextIds:
    """Ids as text."""

    index: pd.Index

    def __len__(self) -> int:
        return len(self.index)

    def find(self, texts: Sequence[str]) -> Codes:
        """Where each text stands; -1 for one that is not there."""
        return np.asarray(self.index.get_indexer(list(texts)), np.int64)

    def take(self, numbers: Codes) -> pa.Array:
        """The ids of these numbers, as text."""
        return pa.array(self.index.take(numbers), pa.string())


@dataclass(frozen=True)
class PackedIds:
    """Ids of 128 bits, in halves."""

    high: Halves
    low: Halves

    def __len__(self) -> int:
        return len(self.high)

    def find(self, texts: Sequence[str]) -> Codes:
        """Where each text stands; -1 for one that is not there."""
        found = np.full(len(texts), -1, np.int64)
        for place, text in enumerate(texts):
            packed = pack(pa.array([text]))
            if packed is not None:
                high, low = halves(packed)
                first, last = (int(np.searchsorted(self.high, high[0], side)) for side in ("left", "right"))
                among = first + np.flatnonzero(self.low[first:last] == low[0])
                found[place] = among[0] if len(among) else -1
        return found

    def take(self, numbers: Codes) -> pa.Array:
        """The ids of these numbers, as ``PACKED``."""
        both = np.empty((len(numbers), 2), ">u8")
        both[:, 0], both[:, 1] = self.high[numbers], self.low[numbers]
        return pa.FixedSizeBinaryArray.from_buffers(PACKED, len(numbers), [None, pa.py_buffer(both)])


def pack(ids: pa.Array) -> pa.Array | None:
    """Text of 32 hex characters each (small letters) as ``PACKED``; None where one is something else, or null."""
    if not len(ids):
        return pa.array([], PACKED)
    if ids.null_count or pc.min_max(pc.binary_length(ids)).as_py() != {"min": _WIDTH, "max": _WIDTH}:
        return None
    _, offsets, data = ids.buffers()
    start = int(np.frombuffer(offsets, np.int32)[ids.offset])
    pairs = np.frombuffer(data, "<u2", len(ids) * _WIDTH // 2, offset=start)
    packed = _BYTE_OF[pairs]
    if packed.max(initial=0) > 255:
        return None
    return pa.FixedSizeBinaryArray.from_buffers(PACKED, len(ids), [None, pa.py_buffer(packed.astype(np.uint8))])


def unpack(ids: pa.Array) -> pa.Array:
    """Ids as text, whichever way they came."""
    if ids.type != PACKED:
        return ids
    packed = np.frombuffer(ids.buffers()[1], np.uint8)[ids.offset * 16 : (ids.offset + len(ids)) * 16]
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * _WIDTH
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(_PAIR_OF[packed]))


def halves(ids: pa.Array) -> tuple[Halves, Halves]:
    """Packed ids as their first and last 64 bits; they sort as the text does, first halves first."""
    both = np.frombuffer(ids.buffers()[1], ">u8")[ids.offset * 2 : (ids.offset + len(ids)) * 2]
    return both[::2].astype(np.uint64), both[1::2].astype(np.uint64)


def number(ends: Sequence[pa.Array]) -> tuple[Codes, Ids, Codes]:
    """Ids, in any number of pieces -> of each place its id's number, the ids, and of each id a place where it stands.

    A null has the number -1.
    """
    packed = [end if end.type == PACKED else pack(end) for end in ends]
    whole = [end for end in packed if end is not None]
    if len(whole) < len(packed):
        return _number_texts([unpack(end) for end in ends])
    return _number_halves([halves(end) for end in whole])


def _number_halves(pieces: list[tuple[Halves, Halves]]) -> tuple[Codes, Ids, Codes]:
    """One sort of integers: the first bits of an id, with its place in the last ones. Empties ``pieces``, to hold each
    id no longer than needed.

    Ids that agree in these bits and differ in others come out mixed. They are few where ids are hashes, are found by
    comparing neighbours whole, and are sorted among themselves.
    """
    high, low = (np.concatenate([np.empty(0, np.uint64), *(piece[side] for piece in pieces)]) for side in (0, 1))
    pieces.clear()
    count = len(high)
    bits = np.uint64(max(count - 1, 1).bit_length())
    here = (np.uint64(1) << bits) - np.uint64(1)
    keys = (high & ~here) | np.arange(count, dtype=np.uint64)
    keys.sort()
    place = (keys & here).astype(np.int64)
    keys >>= bits
    begins = np.concatenate([[True], keys[1:] != keys[:-1]])[:count]
    del keys
    high, low = high[place], low[place]
    differs = np.concatenate([[True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])])[:count]
    if (differs & ~begins).any():
        run = np.cumsum(begins)
        mixed = np.flatnonzero(np.isin(run, run[differs & ~begins]))
        order = mixed[np.lexsort((place[mixed], low[mixed], high[mixed]))]
        place[mixed], high[mixed], low[mixed] = place[order], high[order], low[order]
        differs = np.concatenate([[True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])])[:count]
    codes = np.empty(count, np.int64)
    codes[place] = np.cumsum(differs) - 1
    return codes, PackedIds(high[differs], low[differs]), place[differs]


def _number_texts(ends: Sequence[pa.Array]) -> tuple[Codes, Ids, Codes]:
    texts = pd.Series(pa.chunked_array(ends, pa.string()), dtype=pd.ArrowDtype(pa.string()))
    codes, ids = pd.factorize(texts)
    order = np.asarray(pc.sort_indices(pa.array(ids, pa.string())), np.int64)
    number_of = np.append(np.empty(len(order), np.int64), -1)
    number_of[order] = np.arange(len(order))
    codes = number_of[codes]
    shown_by = np.empty(len(order), np.int64)
    shown_by[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    return codes, TextIds(pd.Index(ids.take(order))), shown_by
