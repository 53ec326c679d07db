"""How the same identifier looks when people and machines write it down: untidy, or replaced by a placeholder."""

from __future__ import annotations

from random import Random

PLACEHOLDER_EMAILS = ("test@test.com", "null", "unknown", "n/a", "-")
PLACEHOLDER_PHONES = ("000-000-0000", "n/a", "unknown", "-")
HIDDEN_NUMBERS = ("anonymous", "")
PLACEHOLDERS = frozenset((*PLACEHOLDER_EMAILS, *PLACEHOLDER_PHONES, *HIDDEN_NUMBERS))

UNTIDY_EMAILS = 0.12
UNTIDY_CARDS = 0.06


def is_real(value: str | None) -> bool:
    """True for a value that names somebody: neither missing nor a placeholder."""
    return value is not None and value not in PLACEHOLDERS


def untidy_email(email: str, chance: Random) -> str:
    """The address as somebody typed it; most are clean."""
    if not is_real(email) or chance.random() >= UNTIDY_EMAILS:
        return email
    titled = ".".join(part.capitalize() for part in email.split("."))
    return chance.choice((email.upper(), f" {titled}", f"{email} ", f" {email.title()} "))


def untidy_phone(phone: str, chance: Random) -> str:
    """A number such as ``+15550104477`` in one of the formats that people write."""
    if not is_real(phone):
        return phone
    area, exchange, line = phone[2:5], phone[5:8], phone[8:]
    return chance.choice((
        phone,
        f"+1 ({area}) {exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"({area}) {exchange}-{line}",
        f"{area}{exchange}{line}",
        f"1-{area}-{exchange}-{line}",
    ))  # fmt: skip


def card_variants(card: str) -> tuple[str, str, str, str]:
    """A card such as ``LC001234``: clean first, then as an old till, a form and an app print it."""
    letters, left, right = card[:2], card[2:4], card[4:]
    return card, f"{letters.lower()} {left} {right}", card.lower(), f"{letters} {left}{right} "


def untidy_card(card: str, chance: Random) -> str:
    """The card number as it was keyed in; most are clean."""
    return chance.choice(card_variants(card)[1:]) if chance.random() < UNTIDY_CARDS else card
