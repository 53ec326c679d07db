"""What people decided about identifiers, as the rules of today read it, and which of it waits for an identifier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from conf.errors import LakeError
from conf.tables.ops import LAKE
from conf.tables.silver import IDENTITIES, IDENTITY_RULES
from jobs.runtime.lake import fetch, read_rows, types_of
from transforms.identity.plain import written_anew

if TYPE_CHECKING:
    from jobs.runtime.stage import Run
    from transforms.identity.rules import Pair


def salt_of_lake(run: Run) -> str:
    """The lake's salt. Raises LakeError where there is no lake yet."""
    rows = read_rows(run.session_if_needed(), run.lake, LAKE)
    if not rows:
        raise LakeError(f"There is no lake in {run.lake.root or run.lake.catalog} yet: `c360 run` makes it.")
    return str(rows[0]["salt"])


def decisions_of(run: Run) -> list[dict[str, Any]]:
    """All decisions, oldest first, with the ids that their values have today: a normalisation may have been edited since.

    Those of a lake that did not keep the values yet have the ids of their day, and null values.
    """
    held = types_of(run.session_if_needed(), run.lake, IDENTITY_RULES.name)
    columns = tuple(name for name in IDENTITY_RULES.column_names if name in held)
    rows = fetch(run.session_if_needed(), run.lake, IDENTITY_RULES.name, columns).to_pylist() if held else []
    salt = salt_of_lake(run) if any(row.get("value") is not None for row in rows) else ""
    whole = (dict.fromkeys(IDENTITY_RULES.column_names) | row for row in rows)
    decisions = [written_anew(row, run.project.identity, salt) for row in whole]
    return sorted(decisions, key=lambda row: (row["decided_at"], row["identifier_id"], row["other_identifier_id"]))


def last_decision(decisions: Iterable[dict[str, Any]], one: str, other: str) -> dict[str, Any] | None:
    """The decision that was made last about two identifiers; None where none was."""
    about = [row for row in decisions if {row["identifier_id"], row["other_identifier_id"]} == {one, other}]
    return max(about, key=lambda row: row["decided_at"], default=None)


def known_values(run: Run, pairs: Iterable[Pair]) -> dict[str, str]:
    """Of the ends of pairs, those that the lake knows: identifier_id -> normalised value."""
    listed = ", ".join(f"'{end}'" for end in sorted({end for pair in pairs for end in pair}))
    if not listed:
        return {}
    columns = ("identifier_id", "value")
    held = fetch(run.session_if_needed(), run.lake, IDENTITIES.name, columns, f"identifier_id IN ({listed})").to_pylist()
    return {row["identifier_id"]: row["value"] for row in held}


def waiting_decisions(run: Run, pairs: tuple[Pair, ...]) -> dict[str, Any]:
    """Counts and a note for the run's report: how many of the pairs cannot hold, since the lake does not know both ends."""
    known = known_values(run, pairs)
    waiting = sum(not known.keys() >= set(pair) for pair in pairs)
    if not waiting:
        return {}
    said = f"Of what people decided about identifiers, {waiting:,} cannot hold: the lake does not know both. See `c360 rules`."
    return {"decisions_waiting": waiting, "notes": [said]}
