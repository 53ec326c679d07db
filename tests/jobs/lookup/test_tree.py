from __future__ import annotations

from jobs.lookup.tree import identity_tree
from tests.jobs.lookup.few_rows import ANA, IDENTITY_ROWS, LINK_ROWS, identity, link


def test_each_identifier_hangs_below_the_one_that_it_was_reached_from() -> None:
    lines = identity_tree(ANA, IDENTITY_ROWS[:4], LINK_ROWS)
    assert [line.replace(" (", "|(").split("|")[0] for line in lines] == [
        "crm_id:1042",
        "├─ loyalty_id:LC0001",
        "│  ├─ cookie_id:c-1",
        "│  └─ ✂ device_id",
        "└─ email:ana@example.com",
    ]


def test_a_line_says_who_saw_the_link_and_when() -> None:
    assert identity_tree(ANA, IDENTITY_ROWS[:4], LINK_ROWS)[-1].endswith("  crm: 2017-01-03 to 2017-01-04, 2 times")


def test_a_link_that_is_not_followed_says_why_and_not_whose_the_other_end_is() -> None:
    (severed,) = (line for line in identity_tree(ANA, IDENTITY_ROWS[:4], LINK_ROWS) if "✂" in line)
    assert "of another profile, not followed: limit:crm_id  crm: 2017-01-04" in severed
    assert "d-1" not in severed


def test_a_link_beyond_the_tree_is_told_beside_the_weaker_end() -> None:
    lines = identity_tree(ANA, IDENTITY_ROWS[:4], [*LINK_ROWS, link(("email", "ana@example.com"), ("loyalty_id", "LC0001"))])
    assert "; also linked to loyalty_id (" in lines[-1]
    assert len([line for line in lines if "also linked" in line]) == 1


def test_a_link_in_both_directions_is_drawn_once() -> None:
    back = link(("loyalty_id", "LC0001"), ("crm_id", "1042"))
    assert len(identity_tree(ANA, IDENTITY_ROWS[:4], [*LINK_ROWS, back])) == 5


def test_whom_a_decision_joined_without_a_link_is_a_root_of_its_own() -> None:
    lines = identity_tree(ANA, [*IDENTITY_ROWS[:4], identity("phone", "+15550104477", ANA, "linked")], LINK_ROWS)
    assert lines[-1].startswith("phone:+15550104477 (")
