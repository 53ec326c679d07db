"""Explain identities: why two identifiers are one person, or why they are not; read from the tables, without a session
for a lake on this machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from conf.errors import BadInputError
from conf.tables.bronze import bronze_table
from conf.tables.silver import EVENTS, IDENTITIES, IDENTITY_LINKS, RECORD_MATCHES, RECORDS
from jobs.decisions import decisions_of, last_decision, salt_of_lake
from jobs.explanation_report import Explanation, explanation_text, why_severed
from jobs.runtime.command import Commands, new_run, print_json
from transforms.identity.evidence import Hop, chain_between
from transforms.identity.matching import MATCH_SOURCE
from transforms.identity.plain import Identifier, masked, read_identifier
from transforms.identity.rules import Pair, standing_decisions

if TYPE_CHECKING:
    from jobs.runtime.stage import Run

ROUNDS = 4
"""How many components away from the two identifiers a chain is looked for."""
IDENTIFIERS_AT_MOST = 50_000
"""Where more identifiers than these are around, the search ends and says so."""
IDS_A_QUERY = 2_000


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 explain``."""
    explain = commands.add_parser("explain", parents=[common], help="why two identifiers are (or are not) one person")
    explain.add_argument("one", metavar="ID1", help="NAMESPACE:VALUE")
    explain.add_argument("other", metavar="ID2", help="NAMESPACE:VALUE")
    explain.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    run = new_run(options)
    one, other = (read_identifier(text, run.project.identity, salt_of_lake(run)) for text in (options.one, options.other))
    explanation = explain_identities(run, one, other)
    if options.json:
        print_json(explanation.__dict__)
    else:
        print(explanation_text(explanation))
    return 0


def explain_identities(run: Run, one: Identifier, other: Identifier) -> Explanation:
    """Why the two are one person or not, from the tables as they stand. Raises BadInputError where they are the same one."""
    if one.identifier_id == other.identifier_id:
        raise BadInputError(f"{one.name} and {other.name} are the same identifier.")
    held = {row["identifier_id"]: row for row in _rows_of(run, IDENTITIES.name, "identifier_id", (one, other))}
    profile_of_one, profile_of_other = (held.get(end.identifier_id, {}).get("profile_id") for end in (one, other))
    told = partial(Explanation, one.name, other.name, profile_of_one, profile_of_other)
    blocked = tuple(
        f"{end.name} is a placeholder ({end.blocked}): kept, never linked" for end in (one, other) if end.blocked is not None
    )
    unknown = tuple(f"{end.name} was never seen" for end in (one, other) if end.blocked is None and end.identifier_id not in held)
    if unknown:
        return told("unknown", unknown + blocked)
    decisions = decisions_of(run)
    if not blocked and profile_of_one == profile_of_other:
        links = _links_of_profile(run, str(profile_of_one))
        evidence = chain_between(links, standing_decisions(decisions)[0], one.identifier_id, other.identifier_id, True)
        return told("one person", (), _shown(run, evidence or [], links, decisions))
    chain, links, complete = _search(run, one, other, standing_decisions(decisions)[0])
    if chain is None:
        looked = "Nothing that was seen connects them" if complete else "No short chain connects them; the search was ended"
        return told("blocked" if blocked else "unrelated", blocked or (looked,))
    shown = _shown(run, chain, links, decisions)
    config = run.project.identity
    because = tuple(why_severed(one, config, _forbidding(run, one, decisions)) for one in shown if one["severed"])
    if not because:
        because = ("A person's decision connects them and is not applied yet: the next run does that",)
    return told("blocked" if blocked else "severed", (*blocked, *because), shown)


def _links_of_profile(run: Run, profile_id: str) -> list[dict[str, Any]]:
    members = _ids(_select(run, IDENTITIES.name, ("identifier_id",), f"profile_id = '{profile_id}'"))
    return _links_around(run, members)


def _search(
    run: Run, one: Identifier, other: Identifier, decided: tuple[Pair, ...]
) -> tuple[list[Hop] | None, list[dict[str, Any]], bool]:
    """The best chain, the links looked at, and whether all there is to look at was looked at."""
    seen: set[str] = {one.identifier_id, other.identifier_id}
    links: dict[Pair, dict[str, Any]] = {}
    frontier = set(seen)
    for _ in range(ROUNDS):
        members = _with_components(run, frontier) | frontier
        seen |= members
        for row in _links_around(run, members):
            links[row["identifier_id"], row["other_identifier_id"]] = row
        chain = chain_between(links.values(), decided, one.identifier_id, other.identifier_id)
        if chain is not None:
            return chain, list(links.values()), True
        frontier = {end for row in links.values() for end in _passable_ends(row)} | {end for pair in decided for end in pair}
        frontier -= seen
        if not frontier:
            return None, list(links.values()), True
        if len(seen) + len(frontier) > IDENTIFIERS_AT_MOST:
            break
    return None, list(links.values()), False


def _passable_ends(row: dict[str, Any]) -> tuple[str, ...]:
    """Ends from which it is worth looking on: beyond a hub or a placeholder everybody is connected with everybody."""
    is_cut_by_a_limit = row["severed"] is None or row["severed"].startswith(("limit:", "expired", "unlinked"))
    return (row["identifier_id"], row["other_identifier_id"]) if is_cut_by_a_limit else ()


def _with_components(run: Run, ids: set[str]) -> set[str]:
    components = {row["component_id"] for row in _in_chunks(run, IDENTITIES.name, ("component_id",), "identifier_id", ids)}
    return set(_ids(_in_chunks(run, IDENTITIES.name, ("identifier_id",), "component_id", components)))


def _links_around(run: Run, members: Iterable[str]) -> list[dict[str, Any]]:
    members = sorted(members)
    columns = IDENTITY_LINKS.column_names
    found = [
        row
        for end in ("identifier_id", "other_identifier_id")
        for row in _in_chunks(run, IDENTITY_LINKS.name, columns, end, members)
    ]
    return list({(row["identifier_id"], row["other_identifier_id"]): row for row in found}.values())


def _ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [row["identifier_id"] for row in rows]


def _rows_of(run: Run, table: str, key: str, ends: Sequence[Identifier]) -> list[dict[str, Any]]:
    return _in_chunks(run, table, IDENTITIES.column_names, key, [end.identifier_id for end in ends])


def _in_chunks(run: Run, table: str, columns: tuple[str, ...], key: str, values: Iterable[str]) -> list[dict[str, Any]]:
    """Rows whose ``key`` is one of many hashes, a few thousand of them a query."""
    ordered = sorted(values)
    rows: list[dict[str, Any]] = []
    for start in range(0, len(ordered), IDS_A_QUERY):
        listed = ", ".join(f"'{value}'" for value in ordered[start : start + IDS_A_QUERY])
        rows += _select(run, table, columns, f"{key} IN ({listed})")
    return rows


def _select(run: Run, table: str, columns: tuple[str, ...], where: str) -> list[dict[str, Any]]:
    from jobs.runtime.lake import fetch

    return fetch(run.session_if_needed(), run.lake, table, columns, where).to_pylist()


def _shown(
    run: Run, chain: list[Hop], links: list[dict[str, Any]], decisions: list[dict[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """The chain with names instead of ids, values masked, and the file that showed each step first."""
    names: dict[str, tuple[str, str]] = {}
    for row in links:
        names[row["identifier_id"]] = (row["namespace"], row["value"])
        names[row["other_identifier_id"]] = (row["other_namespace"], row["other_value"])
    unnamed = {end for hop in chain for end in (hop.one, hop.other)} - set(names)
    for row in _in_chunks(run, IDENTITIES.name, IDENTITIES.column_names, "identifier_id", unnamed):
        names[row["identifier_id"]] = (row["namespace"], row["value"])
    return tuple(_step(run, hop, names, decisions) for hop in chain)


def _step(run: Run, hop: Hop, names: dict[str, tuple[str, str]], decisions: list[dict[str, Any]]) -> dict[str, Any]:
    link = hop.link or {}
    decision = last_decision(decisions, hop.one, hop.other) if hop.decided or hop.severed == "unlinked" else None
    decided = {key: decision[key] for key in ("decision", "why", "decided_by", "decided_at")} if decision else None
    return {
        "from": _masked_name(names, hop.one),
        "to": _masked_name(names, hop.other),
        "from_id": hop.one,
        "to_id": hop.other,
        "severed": hop.severed,
        "decision": decided,
        "match": _match(run, hop, link),
        "sources": link.get("sources") or [],
        "file": _first_file(run, link) if link else None,
        "first_seen": link.get("first_seen"),
        "last_seen": link.get("last_seen"),
        "times": link.get("times"),
    }


def _match(run: Run, hop: Hop, link: Mapping[str, Any]) -> dict[str, Any] | None:
    """Score, evidence and model of the match that a step leads to or comes from; None for any other step."""
    if MATCH_SOURCE not in (link.get("sources") or ()):
        return None
    columns = ("score", "evidence", "model")
    return next(iter(_in_chunks(run, RECORD_MATCHES.name, columns, "match_id", (hop.one, hop.other))), None)


def _masked_name(names: dict[str, tuple[str, str]], identifier_id: str) -> str:
    namespace, value = names.get(identifier_id, ("identifier_id", identifier_id))
    return f"{namespace}:{masked(value)}"


def _first_file(run: Run, link: Mapping[str, Any]) -> str | None:
    """The file of the row that showed the link first; None where it is gone, and for a match, which no row shows."""
    if link["sources"] == [MATCH_SOURCE]:
        return None
    first: tuple[datetime, str, str, int] | None = None
    for table, time in ((EVENTS.name, "occurred_at"), (RECORDS.name, "observed_at")):
        columns = ("source", "row_hash", "row_ordinal", time, "identifiers")
        for row in _select(run, table, columns, f"primary_identifier_id = '{link['identifier_id']}'"):
            carried = {one["identifier_id"] for one in row["identifiers"]}
            if link["other_identifier_id"] in carried and row[time] is not None:
                seen = (row[time], row["source"], row["row_hash"], row["row_ordinal"])
                first = seen if first is None else min(first, seen)
    if first is None:
        return None
    _, source, row_hash, ordinal = first
    where = f"_row_hash = '{row_hash}' AND _row_ordinal = {ordinal}"
    rows = _select(run, bronze_table(source).name, ("_source_file",), where)
    return rows[0]["_source_file"] if rows else None


def _forbidding(run: Run, step: dict[str, Any], decisions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The decision about the ends of an unlinked step, or else the one that keeps the profiles at both of them apart."""
    if step["severed"] != "unlinked" or step["decision"]:
        return step["decision"]
    _, unlinks = standing_decisions(decisions)
    ends = {end for pair in unlinks for end in pair} | {step["from_id"], step["to_id"]}
    rows = _in_chunks(run, IDENTITIES.name, ("identifier_id", "profile_id"), "identifier_id", ends)
    profile = {row["identifier_id"]: row["profile_id"] for row in rows}
    here = {profile.get(step["from_id"]), profile.get(step["to_id"])}
    for pair in unlinks:
        if {profile.get(end) for end in pair} == here:
            return last_decision(decisions, *pair)
    return None
