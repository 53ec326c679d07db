"""What a person asks for: an identifier by its namespace and value, or the id of a profile or identifier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conf.errors import BadInputError
from conf.identity import IdentityConfig
from transforms.identity.normalise import ID_LENGTH
from transforms.identity.plain import read_identifier

Row = dict[str, Any]
AN_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")


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
