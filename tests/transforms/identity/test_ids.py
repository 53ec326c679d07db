"""Ids as numbers are the ids: the same ones are equal, in the same order, whole."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transforms.identity.drawn import frame_of, rules, some_links
from tests.transforms.identity.oracle import Link
from transforms.identity.components import solve_identities
from transforms.identity.ids import PACKED, PackedIds, TextIds, number, pack, unpack
from transforms.identity.rules import ResolutionRules

DRAWN = settings(max_examples=200, deadline=None, derandomize=True, database=None)

# Crowded on purpose: many share their first half, or all but the last bits, as hashes never would.
halves_of_ids = st.sampled_from(["0" * 16, "0" * 15 + "1", "f" * 16, "80" + "0" * 14, "0123456789abcdef", "7" + "f" * 15])
hex_ids = st.builds("{}{}".format, halves_of_ids, halves_of_ids)
texts = st.text(alphabet="ab0f:é", max_size=33)


@DRAWN
@given(st.lists(st.one_of(hex_ids, st.binary(min_size=16, max_size=16).map(bytes.hex)), max_size=40), st.integers(0, 3))
def test_packed_ids_unpack_to_what_they_were(ids: list[str], skipped: int) -> None:
    packed = pack(pa.array(["", *ids], pa.string())[1:])  # a slice: what it points into begins elsewhere
    assert packed is not None
    assert packed.type == PACKED
    assert unpack(packed).to_pylist() == ids
    assert unpack(packed[skipped:]).to_pylist() == ids[skipped:]


@pytest.mark.parametrize("other", ["email:a", "", "A" * 32, "g" * 32, "0" * 31, "0" * 33, "é" * 16, None])
def test_what_is_not_an_id_of_32_hex_characters_is_not_packed(other: str | None) -> None:
    assert pack(pa.array(["0" * 32, other, "1" * 32])) is None


@DRAWN
@given(st.lists(st.lists(hex_ids, max_size=30), min_size=1, max_size=3))
@example([["0" * 32] * 3, []])
def test_packed_ids_are_numbered_in_the_order_of_their_text(pieces: list[list[str]]) -> None:
    ids = check_numbers(pieces, [pa.array(piece, pa.string()) for piece in pieces])
    assert isinstance(ids, PackedIds)


@DRAWN
@given(st.lists(st.lists(st.one_of(texts, hex_ids), max_size=20), min_size=1, max_size=3))
def test_texts_are_numbered_in_their_order_also_where_some_pieces_are_packed(pieces: list[list[str]]) -> None:
    arrays = [pa.array(piece, pa.string()) for piece in pieces]
    check_numbers(pieces, [array if (packed := pack(array)) is None else packed for array in arrays])


def check_numbers(pieces: list[list[str]], arrays: list[pa.Array]) -> PackedIds | TextIds:
    given_ids = [one for piece in pieces for one in piece]
    expected = sorted(set(given_ids))
    codes, ids, shown_by = number(arrays)
    assert [expected[code] for code in codes] == given_ids
    assert [given_ids[place] for place in shown_by] == expected
    assert unpack(ids.take(codes)).to_pylist() == given_ids
    sought = [*expected, "nobody", "3" * 32]
    assert ids.find(sought).tolist() == [*range(len(expected)), -1, -1]
    return ids


@DRAWN
@given(some_links(), rules)
def test_the_solver_says_the_same_of_packed_ids_as_of_text(links: list[Link], rules: ResolutionRules) -> None:
    # The order of ids breaks ties, so the names have to come in the same order: their places among all, behind a hash.
    ordered = sorted(
        {end for link in links for end in link[:2]} | {end for pair in (*rules.links, *rules.unlinks) for end in pair}
    )
    name = {one: f"{place:04x}" + hashlib.md5(one.encode()).hexdigest()[4:] for place, one in enumerate(ordered)}
    frame = frame_of(links)
    renamed = frame.assign(**{end: frame[end].map(name) for end in ("identifier_id", "other_identifier_id")})
    decided = {way: tuple((name[one], name[other]) for one, other in getattr(rules, way)) for way in ("links", "unlinks")}
    identities, solved = solve_identities(frame, rules)
    packed, packed_links = solve_identities(renamed, ResolutionRules(rules.config, **decided, as_of=rules.as_of))
    for column in ("identifier_id", "component_id", "profile_id"):
        assert packed[column].tolist() == [name[one] for one in identities[column]]
    others = ["namespace", "value", "reason", "first_seen", "last_seen", "times"]
    assert packed[others].equals(identities[others])
    assert packed["severed_from"].tolist() == [[name[one] for one in cut] for cut in identities["severed_from"]]
    assert packed_links["severed"].equals(solved["severed"])
