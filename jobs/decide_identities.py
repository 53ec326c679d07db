"""Decide identities: a person links or unlinks two identifiers, sees first what that would change, and can take it back.

Decisions are rows of ``silver.identity_rules``; the next run applies them. Of one pair the last decision holds.
"""

from __future__ import annotations

import argparse
import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.errors import BadInputError
from conf.tables.silver import IDENTITIES, IDENTITY_RULES
from jobs.explain_identities import last_decision, salt_of_lake
from jobs.runtime.command import Commands, new_run, print_json
from jobs.runtime.text_table import text_table
from transforms.identity.plain import Identifier, masked, read_identifier

if TYPE_CHECKING:
    from jobs.runtime.stage import Run

DECISIONS = {
    "link": "decide that two identifiers are one person, whatever limits, hubs and expiry say",
    "unlink": "decide that two identifiers are never in one profile",
    "revoke": "take back what was decided about two identifiers",
}


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 link``, ``c360 unlink``, ``c360 revoke`` and ``c360 rules``."""
    for name, text in DECISIONS.items():
        decide = commands.add_parser(name, parents=[common], help=text)
        decide.add_argument("one", metavar="ID1", help="NAMESPACE:VALUE")
        decide.add_argument("other", metavar="ID2", help="NAMESPACE:VALUE")
        decide.add_argument("--why", required=True, help="the reason, kept with the decision")
        decide.add_argument("--by", default=None, help="who decides (default: the user of this machine)")
        decide.add_argument("--dry-run", action="store_true", help="only show what the next run would change")
        decide.set_defaults(command=_decide, decision=name)
    rules = commands.add_parser("rules", parents=[common], help="what people decided about identifiers")
    rules.set_defaults(command=_rules)


def _decide(options: argparse.Namespace) -> int:
    from jobs.preview_decision import preview_decision, preview_text

    run = new_run(options)
    one, other = (read_identifier(text, run.project.identity, salt_of_lake(run)) for text in (options.one, options.other))
    _check(run, options.decision, one, other)
    row = decision_row(run, options.decision, one, other, options.why, options.by or getpass.getuser())
    preview = preview_decision(run, [*decisions_of(run), row], one, other)
    if not options.dry_run:
        note_decision(run, row)
    if options.json:
        print_json({**preview.__dict__, "noted": not options.dry_run})
        return 0
    print(preview_text(preview))
    noted = "Noted. The next run applies it; `c360 revoke` takes it back."
    print(f"\n{'Nothing was noted (--dry-run).' if options.dry_run else noted}")
    return 0


def decision_row(run: Run, decision: str, one: Identifier, other: Identifier, why: str, by: str) -> dict[str, Any]:
    """The decision as ``silver.identity_rules`` keeps it, made at the start of ``run``."""
    smaller, larger = sorted((one, other), key=lambda end: end.identifier_id)
    ends = (smaller.identifier_id, larger.identifier_id, smaller.namespace.name, larger.namespace.name)
    return dict(zip(IDENTITY_RULES.column_names, (*ends, decision, why, by, run.started_at), strict=True))


def note_decision(run: Run, decision: dict[str, Any]) -> None:
    """Appends the decision; the next run applies it."""
    from jobs.runtime.lake import append_rows

    append_rows(run.spark, run.lake, IDENTITY_RULES, [decision])


def _check(run: Run, decision: str, one: Identifier, other: Identifier) -> None:
    """Raises BadInputError where the decision makes no sense."""
    if one.identifier_id == other.identifier_id:
        raise BadInputError(f"{one.name} and {other.name} are the same identifier; nothing was noted.")
    blocked = [f"{end.name} ({end.blocked})" for end in (one, other) if end.blocked]
    if blocked:
        raise BadInputError(
            f"{' and '.join(blocked)}: a placeholder never links, so there is nothing to decide. Nothing was noted; where it is "
            "a real value, mend `blocked` in conf/identity.yml."
        )
    last = last_decision(decisions_of(run), one.identifier_id, other.identifier_id)
    standing = None if last is None or last["decision"] == "revoke" else last["decision"]
    if standing == decision:
        raise BadInputError(f"{one.name} and {other.name}: `{decision}` was decided already; nothing was noted.")
    if decision == "revoke" and standing is None:
        raise BadInputError(f"{one.name} and {other.name}: nothing is decided that could be taken back.")


def decisions_of(run: Run) -> list[dict[str, Any]]:
    """All decisions, oldest first."""
    from jobs.runtime.lake import read_rows

    rows = read_rows(run.session_if_needed(), run.lake, IDENTITY_RULES)
    return sorted(rows, key=lambda row: (row["decided_at"], row["identifier_id"], row["other_identifier_id"]))


def _rules(options: argparse.Namespace) -> int:
    rules = list_decisions(new_run(options))
    if options.json:
        print_json(rules)
        return 0
    rows = [tuple(_cell(value) for value in rule.values()) for rule in rules]
    print(text_table(tuple(rules[0]), rows) if rules else "Nobody has decided anything yet.")
    return 0


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else value


def list_decisions(run: Run) -> list[dict[str, Any]]:
    """Every decision with masked names, oldest first; ``holds``: it is the last of its pair, and none that takes back."""
    from jobs.runtime.lake import fetch

    decisions = decisions_of(run)
    ids = sorted({row[end] for row in decisions for end in ("identifier_id", "other_identifier_id")})
    listed = ", ".join(f"'{one}'" for one in ids) or "''"
    held = fetch(
        run.session_if_needed(), run.lake, IDENTITIES.name, ("identifier_id", "value"), f"identifier_id IN ({listed})"
    ).to_pylist()
    values = {row["identifier_id"]: masked(row["value"]) for row in held}
    return [
        {
            "one": f"{row['namespace']}:{values.get(row['identifier_id'], 'never seen')}",
            "other": f"{row['other_namespace']}:{values.get(row['other_identifier_id'], 'never seen')}",
            **{name: row[name] for name in ("decision", "why", "decided_by", "decided_at")},
            "holds": row["decision"] != "revoke"
            and last_decision(decisions, row["identifier_id"], row["other_identifier_id"]) is row,
        }
        for row in decisions
    ]
