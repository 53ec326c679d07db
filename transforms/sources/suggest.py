"""A first mapping for a file that nobody has declared yet: guesses from the columns' names, for a person to edit.

Every guess is an expression that the suite accepts; what could not be guessed stands in the text as a question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from conf.identity import IdentityConfig

_EVENT_GUESSES = {
    "event_id": r"^(event|line|transaction_line|message)_?id$|^uuid$",
    "event_type": r"^(event|event_type|event_name|type|action)$",
    "order_id": r"^(order|basket|invoice|receipt|transaction|ticket|cart)_?(id|no|nr|number)?$",
    "product_id": r"^(product|sku|item|article|stock)_?(id|code|no|number)?$|^sku$|^(gtin|ean|upc)$",
    "category": r"(^|_)category$|^department$",
    "brand": r"^brand(_name)?$",
    "store": r"^(store|shop|branch|location)_?(id|name|no|number)?$",
    "channel": r"^channel$",
    "quantity": r"^(qty|quantity|units|pieces)$",
    "revenue": r"^(revenue|amount|sales_value|line_total|total|net_amount|value|price_paid)$",
    "currency": r"^currency(_code)?$",
}
_RECORD_GUESSES = {"record_id": r"^record_?id$"}
_TIME = r"(^|_)(timestamp|time|datetime|date|at|ts|on)$|^(time|date)|date$"
_UNIT_PRICE = r"^(unit_?price|price)$"
_IDENTIFIERS = {
    "crm_id": r"^(crm|customer|client|contact|account|person|user|member)_?(id|no|nr|number|key)?$",
    "customer_id": r"^(crm|customer|client|contact|account|person|user|member)_?(id|no|nr|number|key)?$",
    "loyalty_id": r"^(loyalty|card|membership)_?(id|no|nr|number|card)?$|^loyalty_card$",
    "email": r"e_?mail",
    "phone": r"phone|mobile|msisdn",
    "device_id": r"^(device|idfa|gaid|idfv)_?(id)?$",
    "cookie_id": r"^(cookie|browser|visitor|anonymous|client)_?(id)$",
}
_OF_A_PERSON = r"name|street|city|zip|post|country|birth|gender|consent|title|income|age$"


@dataclass(frozen=True)
class Suggestion:
    """What the names of the columns make one think of. ``maps`` in the order of the standard schema."""

    kind: str
    maps: dict[str, str]
    identifiers: tuple[tuple[str, str], ...]
    questions: tuple[str, ...]


def suggest(columns: Sequence[str], identity: IdentityConfig) -> Suggestion:
    """Raw columns -> a mapping to edit. Each column is used once, identifiers first."""
    folded = {column: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-z]+", "_", column).strip("_").lower() for column in columns}
    identifiers = _identifiers(folded, identity)
    taken = {column for _, column in identifiers}
    rest = {column: name for column, name in folded.items() if column not in taken}
    kind = _kind(rest)
    guessed = {
        target: column
        for target, pattern in (_EVENT_GUESSES if kind == "events" else _RECORD_GUESSES).items()
        if (column := _first(rest, pattern)) is not None
    }
    time = "occurred_at" if kind == "events" else "observed_at"
    moment = _first({c: n for c, n in rest.items() if c not in guessed.values()}, _TIME)
    maps = _maps(kind, guessed, time, moment, rest)
    used = {*guessed.values(), moment}
    attributes = {re.sub(r"^(?=\d)", "c", name): column for column, name in rest.items() if column not in used and name}
    maps |= {name: _quoted(column) for name, column in attributes.items() if name not in maps}
    return Suggestion(kind, maps, identifiers, tuple(_questions(kind, maps, time, moment, identifiers)))


def _identifiers(folded: dict[str, str], identity: IdentityConfig) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for namespace in identity.namespace_names:
        pattern = _IDENTIFIERS.get(namespace, rf"^{re.escape(namespace.lower())}$")
        taken = {column for _, column in found}
        found += [(namespace, column) for column, name in folded.items() if column not in taken and re.search(pattern, name)]
    return tuple(found)


def _kind(rest: dict[str, str]) -> str:
    """Events, unless the columns describe somebody and nothing was done."""
    done = sum(1 for name in rest.values() if any(re.search(pattern, name) for pattern in _EVENT_GUESSES.values()))
    describes = sum(1 for name in rest.values() if re.search(_OF_A_PERSON, name))
    return "records" if describes > done else "events"


def _first(named: dict[str, str], pattern: str) -> str | None:
    return next((column for column, name in named.items() if re.search(pattern, name)), None)


def _maps(kind: str, guessed: dict[str, str], time: str, moment: str | None, rest: dict[str, str]) -> dict[str, str]:
    maps = {target: _quoted(column) for target, column in guessed.items()}
    maps[time] = f"cast({_quoted(moment)} as timestamp)" if moment else "cast(null as timestamp)"
    if kind == "records":
        return maps
    quantity, price = maps.get("quantity"), _first(rest, _UNIT_PRICE)
    if quantity:
        maps["quantity"] = f"cast({quantity} as decimal(18,3))"
    if "revenue" in maps:
        maps["revenue"] = f"cast({maps['revenue']} as decimal(18,2))"
    elif quantity and price:
        maps["revenue"] = f"{maps['quantity']} * cast({_quoted(price)} as decimal(18,3))"
    if "event_type" not in maps:
        sold = "revenue" in maps
        maps["event_type"] = "'purchase'" if sold else "'page_view'"
    names = dict.fromkeys(["event_id", "event_type", "occurred_at", *_EVENT_GUESSES])
    return {name: maps[name] for name in names if name in maps}


def _quoted(column: str) -> str:
    return column if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", column) else f"`{column}`"


def _questions(
    kind: str, maps: dict[str, str], time: str, moment: str | None, identifiers: tuple[tuple[str, str], ...]
) -> list[str]:
    asked = []
    if moment is None:
        asked.append(f"Which column says when? `{time}` is needed, and every row waits in quarantine without it.")
    if kind == "events" and maps.get("event_type", "").startswith("'"):
        asked.append("Is every row of this event type? A case expression can tell purchases from returns.")
    if kind == "events" and "event_id" not in maps:
        asked.append("Does something name an event? Without `event_id` the whole row does.")
    if not identifiers:
        asked.append("Whom is a row about? Without identifiers it is nobody's.")
    return asked


def suggestion_text(suggestion: Suggestion, source: str, file_format: str, options: dict[str, str | bool]) -> str:
    """The suggestion as the text of ``conf/sources/<source>.yml``."""
    lines = [
        "# Guessed from the names of the columns: read every line before you use it.",
        *(f"# {question}" for question in suggestion.questions),
        f"source: {source}",
        f"kind: {suggestion.kind}",
        f"path: {source}/",
        f"format: {file_format}",
    ]
    if options:
        written = {key: str(value).lower() if isinstance(value, bool) else _text(value) for key, value in options.items()}
        shown = ", ".join(f"{key}: {value}" for key, value in written.items())
        lines.append(f"options: {{{shown}}}")
    lines += ["", "maps:", *(f"  {name}: {_text(value)}" for name, value in suggestion.maps.items())]
    if suggestion.identifiers:
        carried = (f"  - {{namespace: {name}, value: {_text(_quoted(column))}}}" for name, column in suggestion.identifiers)
        lines += ["", "identifiers:", *carried]
    time = "occurred_at" if suggestion.kind == "events" else "observed_at"
    lines += ["", "expect:", f"  - {{name: has_time, check: {time} is not null}}"]
    return "\n".join(lines)


def _text(value: str) -> str:
    """A value as YAML reads it back unchanged."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ().,*]*", value) and "," not in value.replace("(18,", "")
    return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
