from __future__ import annotations

from typing import Any

from transforms.identity.evidence import chain_between


def link(one: str, other: str, severed: str | None = None) -> dict[str, Any]:
    return {"identifier_id": one, "other_identifier_id": other, "severed": severed}


def path(links: list[dict[str, Any]], one: str, other: str, **more: Any) -> list[tuple[str, str, str | None]] | None:
    chain = chain_between(links, more.pop("decided", ()), one, other, **more)
    return chain and [(hop.one, hop.other, hop.severed) for hop in chain]


def test_the_shortest_chain_is_the_evidence_whatever_the_direction_of_its_links() -> None:
    links = [link("crm", "mail"), link("mail", "web"), link("crm", "card"), link("card", "phone"), link("phone", "web")]
    assert path(links, "web", "crm") == [("web", "mail", None), ("mail", "crm", None)]


def test_a_long_chain_that_holds_comes_before_a_short_one_that_is_cut() -> None:
    links = [link("tom", "tablet", "limit:crm_id"), link("tom", "mail"), link("mail", "phone"), link("phone", "tablet")]
    assert path(links, "tom", "tablet") == [("tom", "mail", None), ("mail", "phone", None), ("phone", "tablet", None)]


def test_a_cut_is_shown_where_it_is() -> None:
    links = [link("tom", "tablet", "limit:crm_id"), link("ana", "tablet"), link("ana", "ana")]
    assert path(links, "ana", "tom") == [("ana", "tablet", None), ("tablet", "tom", "limit:crm_id")]
    assert path(links, "ana", "tom", followed_only=True) is None


def test_what_a_person_decided_is_evidence_also_without_a_link() -> None:
    links = [link("tom", "web", "hub")]
    assert path(links, "thomas", "web", decided=(("thomas", "tom"), ("tom", "web"))) == [
        ("thomas", "tom", None),
        ("tom", "web", None),
    ]


def test_equal_chains_are_told_by_their_ids_and_none_is_none() -> None:
    links = [link("a", "y"), link("a", "x"), link("y", "b"), link("x", "b")]
    assert path(links, "a", "b") == path(links[::-1], "a", "b") == [("a", "x", None), ("x", "b", None)]
    assert path(links, "a", "c") is None
    assert path(links, "a", "a") == []
