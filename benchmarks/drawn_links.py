"""Links to find components in: many small groups, one long chain and one giant star, drawn with a fixed seed.

Long chains are what breadth costs, a star is what a search per step costs, and small groups are what customers look like.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SEED = 2017
NAMESPACES = ("crm_id", "email", "device_id")
LARGEST_GROUP = 9
LINKS_A_FILE = 1_000_000


@dataclass(frozen=True)
class Shape:
    """How many links over how many identifiers, of which a chain and a star."""

    links: int
    identifiers: int
    chain: int
    star: int


SHAPES = {
    "s": Shape(83_000, 65_000, 10_000, 5_000),
    "m": Shape(830_000, 650_000, 100_000, 50_000),
    "l": Shape(8_300_000, 6_500_000, 1_000_000, 500_000),
}


def draw_pairs(shape: Shape, seed: int = SEED) -> NDArray[np.int64]:
    """Distinct pairs of identifiers ``0..identifiers-1`` in two columns, in any order; every identifier is in one."""
    chance = np.random.default_rng(seed)
    chain = np.stack([np.arange(shape.chain - 1), np.arange(1, shape.chain)], axis=1)
    star = np.stack([np.full(shape.star - 1, shape.chain), shape.chain + np.arange(1, shape.star)], axis=1)
    groups = shape.chain + shape.star + _group_pairs(
        shape.identifiers - shape.chain - shape.star, shape.links - len(chain) - len(star), chance
    )  # fmt: skip
    pairs = np.concatenate([chain, star, groups])
    pairs = chance.permutation(shape.identifiers)[pairs]
    return pairs[chance.permutation(len(pairs))]


def _group_pairs(members: int, links: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Groups of two to some: each member is linked to its group's first, and more links are drawn inside of groups."""
    sizes = chance.integers(2, LARGEST_GROUP + 1, size=members // 2)
    ends = np.cumsum(sizes)
    ends = np.append(ends[ends < members - 1], members)
    starts = np.concatenate([[0], ends[:-1]])
    first = np.repeat(starts, ends - starts)
    tree = np.stack([first, np.arange(members)], axis=1)[first != np.arange(members)]
    low = chance.integers(0, members, size=12 * (links - len(tree)))
    size = np.repeat(ends - starts, ends - starts)[low]
    high = first[low] + chance.integers(0, size)
    more = np.unique(np.stack([low, high], axis=1)[(first[low] < low) & (low < high)], axis=0)
    return np.concatenate([tree, more[chance.permutation(len(more))[: links - len(tree)]]])


def draw_ids(count: int, seed: int = SEED) -> pa.Array:
    """Distinct ids of 128 bits in 32 hex characters, as a salted hash would be."""
    numbers = np.frombuffer(np.random.default_rng(seed + 1).bytes(16 * count), np.uint8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.stack([digits[numbers >> 4], digits[numbers & 15]], axis=1).tobytes()
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), count, [None, pa.py_buffer(text)])
    return fixed.cast(pa.binary()).cast(pa.string())


def write_links(shape: Shape, folder: Path) -> None:
    """Parquet files of links in the columns of ``silver.identity_links``; ``severed`` is left to be found."""
    pairs, ids = draw_pairs(shape), draw_ids(shape.identifiers)
    names = pa.array(NAMESPACES)
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, len(pairs), LINKS_A_FILE)):
        left, right = pairs[start : start + LINKS_A_FILE].T
        seen = pa.array((left + right) * 1_000_000 + 1_483_228_800_000_000, pa.timestamp("us", tz="UTC"))
        columns = {
            "identifier_id": ids.take(pa.array(left)),
            "other_identifier_id": ids.take(pa.array(right)),
            "namespace": names.take(pa.array(left % len(NAMESPACES))),
            "value": _values(left),
            "other_namespace": names.take(pa.array(right % len(NAMESPACES))),
            "other_value": _values(right),
            "first_seen": seen,
            "last_seen": seen,
            "times": pa.array(np.ones(len(left), np.int64)),
            "sources": pa.array([["web"]] * len(left)),
            "severed": pa.nulls(len(left), pa.string()),
        }
        pq.write_table(pa.table(columns), folder / f"part-{number:05}.parquet")


def _values(numbers: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.char.add("customer-", numbers.astype(str)))
