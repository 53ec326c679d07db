"""Identifiers as columns: values written in one way, placeholders recognised, ids hashed with the lake's salt.

Plain SQL functions throughout: no Python runs for a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.identity import MAX_VALUE_LENGTH, DialPlan, IdentityConfig, Namespace

ID_LENGTH = 32
"""Hex characters of an ``identifier_id``: 128 bits, so that strangers never share one by chance."""

IDENTIFIERS_TYPE = "array<struct<namespace:string,value:string,identifier_id:string,blocked:string>>"

BLOCKED = ("too_long", "blocked_value", "blocked_pattern")
"""Why a value may not link."""

BLANKS = " \t\r\n\u00a0"
"""What goes around a value."""

REWRITES = ("card", "phone")
"""Normalisations that may make a placeholder look like a value."""


def normalise_identifier(value: Column, namespace: Namespace) -> Column:
    """``value`` as it is compared in its namespace; null stays null, blanks around it go.

    ``email`` and ``lower``: lower case. ``upper``: upper case. ``card``: upper case without blanks and dashes.
    ``phone``: see :func:`_phone`.
    """
    text = F.btrim(value.cast("string"), F.lit(BLANKS))
    if namespace.normalise in ("email", "lower"):
        return F.lower(text)
    if namespace.normalise == "upper":
        return F.upper(text)
    if namespace.normalise == "card":
        return F.upper(F.regexp_replace(text, r"[\s\u00a0-]", ""))
    if namespace.normalise == "phone":
        return _phone(text, namespace.dial_plan)
    return text


def _phone(text: Column, plan: DialPlan | None) -> Column:
    """A phone number like E.164: ``+``, country code, number; an extension and a bracketed trunk ``(0)`` go.

    - With ``+`` or ``00`` in front it is international: ``+`` and its digits.
    - With a region, a national number gets that region's code: for the US ten digits, or eleven that begin with 1.
    - Everything else stays as its digits, and a number shorter than seven digits always does: it is equal only to
      itself written otherwise, never to a longer number that it might be a part of.
    - Text without any digit stays, in lower case, so that it is recognised as a placeholder.
    """
    written = F.regexp_replace(text, r"(?i)\s*(ext\.?|x)\s*\d+$|\(0\)|[^0-9+]|(?<=[0-9])\+", "")
    written = F.regexp_replace(written, r"^00(?=[1-9]\d{6})", "+")
    if plan is not None:
        prefix = "|".join(filter(None, (plan.trunk, plan.code)))
        fewest, most = plan.lengths
        written = F.regexp_replace(written, rf"^(?:{prefix})?(\d{{{fewest},{most}}})$", f"+{plan.code}$1")
    written = F.regexp_replace(written, r"^\++(?=\d{0,6}$)", "")
    return F.coalesce(F.nullif(written, F.lit("")), F.lower(text))


def blocked_reason(value: Column, namespace: Namespace, config: IdentityConfig) -> Column:
    """Why ``value`` may not link, one of ``BLOCKED``; null where it may."""
    too_long, blocked_value, blocked_pattern = BLOCKED
    blocked = config.blocked_in(namespace.name)
    lowered = F.lower(F.btrim(value, F.lit(BLANKS)))
    reason = F.when(F.length(value) > MAX_VALUE_LENGTH, F.lit(too_long))
    if blocked.values:
        reason = reason.when(lowered.isin(*sorted({item.lower() for item in blocked.values})), F.lit(blocked_value))
    for pattern in _combined(blocked.patterns):
        reason = reason.when(lowered.rlike(pattern), F.lit(blocked_pattern))
    return reason


def _combined(patterns: Sequence[str]) -> list[str]:
    """The patterns as few expressions, since each reads the value again.

    One with groups has to come first, because a back-reference counts groups from the start; so a second stays alone.
    """
    grouped = [pattern for pattern in patterns if re.compile(pattern).groups > 0]
    simple = [pattern for pattern in patterns if re.compile(pattern).groups == 0]
    together = [*grouped[:1], *simple]
    joined = ["|".join(f"(?:{pattern})" for pattern in together)] if together else []
    return [f"(?i){pattern}" for pattern in joined + grouped[1:]]


def identifier_id(namespace: Namespace, value: Column, salt: Column) -> Column:
    """The id of a normalised value: the first 128 bits of its salted SHA-256, in hex.

    ``salt`` comes as a column of the data, never as a literal: plans and event logs print literals.
    """
    return F.substring(F.sha2(F.concat(salt, F.lit(f":{namespace.name}:"), value), 256), 1, ID_LENGTH)


def identifiers_column(pairs: Sequence[tuple[str, Column]], config: IdentityConfig, salt: Column) -> Column:
    """The identifiers of a row, from pairs of a namespace and its raw value: an array, strongest first.

    Nulls are left out, and each identifier stands once. Of one namespace the values are in their own order, so that
    two rows with the same identifiers always name the same one first. Placeholders are kept, with their reason in
    ``blocked``. Raises ValueError where a namespace is not declared.
    """
    values_of: dict[str, list[Column]] = {}
    for name, value in pairs:
        values_of.setdefault(config.namespace(name).name, []).append(value)
    found = [
        _identifiers_of(config.namespace(name), values_of[name], config, salt)
        for name in config.namespace_names
        if name in values_of
    ]
    return (F.concat(*found) if found else F.array()).cast(IDENTIFIERS_TYPE)


def _identifiers_of(namespace: Namespace, values: list[Column], config: IdentityConfig, salt: Column) -> Column:
    found = F.array_compact(F.array(*(_identifier(namespace, value, config, salt) for value in values)))
    return F.array_sort(F.array_distinct(found)) if len(values) > 1 else found


def _identifier(namespace: Namespace, raw: Column, config: IdentityConfig, salt: Column) -> Column:
    value = normalise_identifier(raw, namespace)
    blocked = blocked_reason(value, namespace, config)
    if namespace.normalise in REWRITES:  # judged as written, too: ten zeros are no longer all zeros with a country code
        blocked = F.coalesce(blocked, blocked_reason(raw.cast("string"), namespace, config))
    parts = {
        "namespace": F.lit(namespace.name),
        "value": value,
        "identifier_id": identifier_id(namespace, value, salt),
        "blocked": blocked,
    }
    return F.when(value.isNotNull(), F.struct(*(part.alias(name) for name, part in parts.items())))


def primary_identifier(identifiers: Column) -> Column:
    """The ``identifier_id`` of the strongest identifier that is not blocked: whom the row is about; null for nobody."""
    usable = F.filter(identifiers, lambda identifier: identifier["blocked"].isNull())
    return F.get(usable, F.lit(0))["identifier_id"]
