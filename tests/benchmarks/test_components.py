"""What the comparison of components rests on: links that are as declared, and partitions that compare by who is with whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.drawn_links import SHAPES, Shape, draw_ids, draw_pairs, write_links
from conf.tables.silver import IDENTITY_LINKS

SMALL = Shape(links=830, identifiers=650, chain=100, star=50)


@pytest.mark.parametrize("shape", [SMALL, SHAPES["s"]])
def test_draws_as_many_distinct_links_over_as_many_identifiers_as_declared(shape: Shape) -> None:
    pairs = draw_pairs(shape)
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == len(pairs) == shape.links
    assert (np.unique(pairs) == np.arange(shape.identifiers)).all()
    assert np.bincount(pairs.ravel()).max() == shape.star - 1


def test_draws_the_same_links_again() -> None:
    assert (draw_pairs(SMALL) == draw_pairs(SMALL)).all()
    assert draw_ids(650).equals(draw_ids(650))


def test_ids_are_distinct_and_of_128_bits_in_hex() -> None:
    ids = draw_ids(650).to_pylist()
    assert len(set(ids)) == 650
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in ids)


def test_links_are_written_in_the_columns_of_their_table(tmp_path: Path) -> None:
    write_links(SMALL, tmp_path / "links")
    written = pq.read_table(tmp_path / "links")
    assert written.column_names == list(IDENTITY_LINKS.column_names)
    assert written.num_rows == SMALL.links


def test_partitions_compare_by_who_is_with_whom_and_not_by_names_or_order(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    one = digest(tmp_path / "one", {"a": "a", "b": "a", "c": "c"})
    assert one == digest(tmp_path / "renamed", {"c": "y", "b": "x", "a": "x"})
    assert one != digest(tmp_path / "other", {"a": "a", "b": "b", "c": "b"})
    assert (one["identifiers"], one["profiles"]) == (3, 2)


def digest(folder: Path, profile_of: dict[str, str]) -> dict:
    from benchmarks.partitions import digest_of

    folder.mkdir()
    found = pa.table({"identifier_id": list(profile_of), "profile_id": list(profile_of.values())})
    pq.write_table(found, folder / "part.parquet")
    return digest_of(folder)
