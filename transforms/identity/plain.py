"""One identifier without a session: the value of a person's question, written and judged as ingest writes and judges it.

:mod:`transforms.identity.normalise` says the same as SQL, for columns. A property test holds the two together on drawn
text, because a value that is written in another way is somebody else's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conf.errors import BadInputError
from conf.identity import MAX_VALUE_LENGTH, DialPlan, IdentityConfig, Namespace
from conf.patterns import AT_END, as_java_reads
from transforms.identity.normalise import BLANKS, ID_LENGTH, REWRITES


def normalised(text: str, namespace: Namespace) -> str:
    """``text`` as it is compared in its namespace: see :func:`transforms.identity.normalise.normalise_identifier`."""
    text = text.strip(BLANKS)
    if namespace.normalise in ("email", "lower"):
        return text.lower()
    if namespace.normalise == "upper":
        return text.upper()
    if namespace.normalise == "card":
        return _replaced(r"[\s\u00a0-]", "", text).upper()
    if namespace.normalise == "phone":
        return _phone(text, namespace.dial_plan)
    return text


def _phone(text: str, plan: DialPlan | None) -> str:
    written = _replaced(rf"(?i:\s*(?:ext\.?|x)\s*\d+{AT_END})|\(0\)|[^0-9+]|(?<=[0-9])\+", "", text)
    written = _replaced(r"^00(?=[1-9]\d{6})", "+", written)
    if plan is not None:
        prefix = "|".join(filter(None, (plan.trunk, plan.code)))
        fewest, most = plan.lengths
        written = _replaced(rf"^(?:{prefix})?(\d{{{fewest},{most}}})\Z", rf"+{plan.code}\g<1>", written)
    written = _replaced(r"^\++(?=\d{0,6}\Z)", "", written)
    return written or text.lower()


def why_blocked(text: str, namespace: Namespace, config: IdentityConfig) -> str | None:
    """Why the value written as ``text`` may not link: ``too_long``, ``blocked_value``, ``blocked_pattern``; None where it may."""
    blocked = _judged(normalised(text, namespace), namespace, config)
    if blocked is None and namespace.normalise in REWRITES:
        blocked = _judged(text, namespace, config)
    return blocked


def _judged(value: str, namespace: Namespace, config: IdentityConfig) -> str | None:
    blocked = config.blocked_in(namespace.name)
    lowered = value.strip(BLANKS).lower()
    if len(value) > MAX_VALUE_LENGTH:
        return "too_long"
    if lowered in {item.lower() for item in blocked.values}:
        return "blocked_value"
    if any(re.search(as_java_reads(pattern), lowered, re.ASCII | re.IGNORECASE) for pattern in blocked.patterns):
        return "blocked_pattern"
    return None


def _replaced(pattern: str, by: str, text: str) -> str:
    return re.sub(pattern, by, text, flags=re.ASCII)


def id_of(namespace: Namespace, value: str, salt: str) -> str:
    """The ``identifier_id`` of a normalised value."""
    return hashlib.sha256(f"{salt}:{namespace.name}:{value}".encode()).hexdigest()[:ID_LENGTH]


@dataclass(frozen=True)
class Identifier:
    """An identifier that a person names: normalised, with its id and why it may not link (None where it may).

    ``written`` is the value as the person wrote it.
    """

    namespace: Namespace
    value: str
    identifier_id: str
    blocked: str | None
    written: str

    @property
    def name(self) -> str:
        """``namespace:value``, as a person writes it."""
        return f"{self.namespace.name}:{self.value}"


def read_identifier(text: str, config: IdentityConfig, salt: str) -> Identifier:
    """``email: Ana@Example.com`` -> the identifier. Raises BadInputError where it names no declared namespace or no value."""
    name, colon, value = text.partition(":")
    known = ", ".join(config.namespace_names)
    if not colon or name.strip() not in config.namespace_names:
        found = f"{name.strip()!r} is no namespace" if colon else "That is no identifier"  # it may be a value, so it is not told
        raise BadInputError(f"{found}: expected NAMESPACE:VALUE, with a namespace among {known}.")
    namespace = config.namespace(name.strip())
    compared = normalised(value, namespace)
    blocked = why_blocked(value, namespace, config)
    return Identifier(namespace, compared, id_of(namespace, compared, salt), blocked, value.strip(BLANKS))


def written_anew(decision: Mapping[str, Any], config: IdentityConfig, salt: str) -> dict[str, Any]:
    """A row of ``silver.identity_rules`` with the values and ids that its identifiers have by the rules of today.

    An end without a value, or in a namespace that is not declared any more, stays as it was noted. The smaller id comes first.
    """
    names = ("identifier_id", "namespace", "value")
    ends = []
    for prefix in ("", "other_"):
        own, name, value = (decision[f"{prefix}{column}"] for column in names)
        if value is not None and name in config.namespace_names:
            namespace = config.namespace(name)
            value = normalised(value, namespace)
            own = id_of(namespace, value, salt)
        ends.append((own, name, value))
    one, other = sorted(ends, key=lambda end: str(end[0]))
    others = (f"other_{column}" for column in names)
    return {**decision, **dict(zip(names, one, strict=True)), **dict(zip(others, other, strict=True))}


def masked(value: str) -> str:
    """A value as it may be shown: of an e-mail address its first letter and its domain, of anything else its last two
    characters, and nothing of a short one.
    """
    local, at, domain = value.rpartition("@")
    if at and local:
        return f"{local[0]}***@{domain}"
    return f"***{value[-2:]}" if len(value) > 5 else "***"
