"""Decide identities: a person links or unlinks two identifiers, sees first what that would change, and can take it back.

Decisions are rows of ``silver.identity_rules``; the next run applies them. Of one pair the last decision holds.
"""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.errors import BadInputError
from conf.tables.silver import IDENTITY_RULES
from jobs.decisions import decisions_of, known_values, last_decision, salt_of_lake
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
    told = (*ends, decision, why, by, run.started_at, smaller.written, larger.written)
    return dict(zip(IDENTITY_RULES.column_names, told, strict=True))


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
    """Every decision with masked names, oldest first. ``holds``: it is the last of its pair, none that takes back, and the
    lake knows both identifiers; ``because``: what keeps it from holding, null where it holds.
    """
    decisions = decisions_of(run)
    known = known_values(run, [(row["identifier_id"], row["other_identifier_id"]) for row in decisions])
    shown = {end: masked(value) for end, value in known.items()}
    reasons = [_why_not(row, decisions, known) for row in decisions]
    return [
        {
            "one": f"{row['namespace']}:{shown.get(row['identifier_id'], 'not known')}",
            "other": f"{row['other_namespace']}:{shown.get(row['other_identifier_id'], 'not known')}",
            **{name: row[name] for name in ("decision", "why", "decided_by", "decided_at")},
            "holds": because is None,
            "because": because,
        }
        for row, because in zip(decisions, reasons, strict=True)
    ]


def _why_not(row: dict[str, Any], decisions: list[dict[str, Any]], known: Collection[str]) -> str | None:
    one, other = row["identifier_id"], row["other_identifier_id"]
    if row["decision"] == "revoke":
        return "takes back"
    if last_decision(decisions, one, other) is not row:
        return "decided again later"
    if one == other:
        return "both are one identifier now"
    if one not in known or other not in known:
        return "an identifier is not known: never seen, blocked, or normalised in another way since"
    return None
