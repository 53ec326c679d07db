"""Who is who in the days delivered so far: for tests only, never read by the suite."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.sample.feed import Sighting

HEADER = "namespace,value,person"
DEVICES = ("device_id", "cookie_id")


def true_persons(sightings: Iterable[Sighting], delivered: int) -> dict[tuple[str, str], str]:
    """Identifier (namespace, normalised value) -> person, from the first ``delivered`` days.

    A person is ``household:<id>``. A browser or device belongs to whoever logged in on it last; while nobody has, it
    is a person of its own, ``anon:<cookie or device>``.
    """
    last_login: dict[tuple[str, str], tuple[int, int]] = {}
    persons: dict[tuple[str, str], str] = {}
    for seen in sightings:
        if seen.day >= delivered:
            continue
        key = (seen.namespace, seen.value)
        if seen.household is None:
            persons.setdefault(key, f"anon:{seen.value}")
            continue
        login = (seen.moment, seen.household)
        if seen.namespace not in DEVICES or login >= last_login.get(key, login):
            last_login[key] = login
            persons[key] = f"household:{seen.household}"
    return persons


def truth_text(persons: dict[tuple[str, str], str]) -> str:
    """The truth as CSV, sorted."""
    lines = (f"{namespace},{value},{person}" for (namespace, value), person in sorted(persons.items()))
    return "\n".join([HEADER, *lines, ""])
