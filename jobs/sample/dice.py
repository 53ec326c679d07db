"""Repeatable chance: every decision has dice of its own, so that no decision depends on the order of the others."""

from __future__ import annotations

import hashlib
import random


def dice(seed: int, *subject: object) -> random.Random:
    """Dice for one decision about one subject, e.g. ``dice(seed, "crm", household_id)``.

    Same seed and subject, same throws: on every machine, whatever else was generated before.
    """
    return random.Random("/".join(map(str, (seed, *subject))))  # noqa: S311 - sample data, not secrets


def token(seed: int, *subject: object) -> str:
    """A 64-bit hexadecimal id for one subject, such as a browser's cookie."""
    text = "/".join(map(str, (seed, *subject)))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
