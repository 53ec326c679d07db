"""What a person asks for: an identifier by its namespace and value, or the id of a profile or identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from conf.errors import BadInputError
from conf.identity import IdentityConfig
from transforms.identity.normalise import ID_LENGTH
from transforms.identity.plain import read_identifier

Row = dict[str, Any]
AN_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
ONE_RUN = timedelta(milliseconds=1)
"""What moves in one run has one time, but for microseconds that keep the moves of one identifier in order."""


@dataclass(frozen=True)
class Question:
    """Whom a question is about. ``asked`` is the namespace, or ``id``: messages and logs never tell the value."""

    asked: str
    identifier_id: str


def read_question(text: str, identity: IdentityConfig, salt: str) -> Question:
    """``NAMESPACE:VALUE``, or an id of 32 hex digits. Raises BadInputError for what can be nobody's: a namespace that is
    not declared, a placeholder.
    """
    if AN_ID.fullmatch(text.strip().lower()):
        return Question("id", text.strip().lower())
    identifier = read_identifier(text, identity, salt)
    name = identifier.namespace.name
    if identifier.blocked is not None:
        raise BadInputError(f"This {name} is a placeholder ({identifier.blocked} in identity.yml): it never stands for anybody.")
    return Question(name, identifier.identifier_id)


def holder_at(today: str | None, changes: Sequence[Row], at: datetime | None) -> str | None:
    """The profile that held an identifier at a time (None: today), from ``silver.identity_changes`` of that identifier.

    The first change after that time says which profile it left. None where it was nobody's.
    """
    later = [change for change in changes if at is not None and change["changed_at"] > at]
    if not later:
        return today
    moment = min(change["changed_at"] for change in later)
    tied = [change for change in later if change["changed_at"] == moment]
    reached = {change["to_profile_id"] for change in tied}
    starts = [change for change in tied if change["from_profile_id"] not in reached] or tied
    return str(min(change["from_profile_id"] for change in starts))


def last_departure(left: Sequence[Row], at: datetime | None) -> list[Row]:
    """The changes by which a profile's last identifiers went on to others, of all ``left`` that came from it up to a time
    (None: today). None where they are gone themselves: whoever left earlier is no heir.
    """
    gone = [change for change in left if at is None or change["changed_at"] <= at]
    last = max((change["changed_at"] for change in gone), default=None)
    return [c for c in gone if c["to_profile_id"] is not None and last is not None and last - c["changed_at"] < ONE_RUN]


def heir(departure: Sequence[Row], namespaces: Mapping[str, str], ranks: Mapping[str, int]) -> Row | None:
    """Of the changes with which a profile ended, one to the profile that went on as it: where its strongest identifier went,
    or else most of them, or else to the smaller id. ``namespaces`` has those of the identifiers that still are.
    """

    def trust(to: str) -> tuple[int, int, str]:
        went = [change["identifier_id"] for change in departure if change["to_profile_id"] == to]
        return min(ranks.get(namespaces.get(one, ""), len(ranks)) for one in went), -len(went), to

    return min(departure, key=lambda change: (trust(change["to_profile_id"]), change["identifier_id"]), default=None)
