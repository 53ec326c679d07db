"""Who visits the web shop and the app, when and with what: the generated sessions, before their single events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from jobs.sample.days import DAYS
from jobs.sample.dice import dice, token
from jobs.sample.dirt import PLACEHOLDER_EMAILS, is_real
from jobs.sample.households import Household, family_pairs, on_day

WEB_USERS = 0.6
APP_USERS = 0.5
STRANGERS = 0.6
"""Visitors who never say who they are, for each household."""

OFFLINE = 0.08
"""App sessions without network: the app delivers them a day late."""


@dataclass(frozen=True)
class Session:
    """One visit from one browser or device. ``login`` is what it was logged in with (an e-mail on the web, a card in
    the app), None for an anonymous visit; ``household`` is who visited, None for a stranger.
    """

    key: str
    channel: str
    device: str
    day: int
    household: Household | None = None
    login: str | None = None
    late: bool = False
    shared: bool = False


def plan_sessions(households: Sequence[Household], seed: int) -> Iterator[Session]:
    """All sessions of the year, each person's independent of everybody else's."""
    for household in households:
        chance = dice(seed, "visits", household.household_id)
        # Before the CRM knows a customer, nothing could tie a login to the card.
        first = min((household.known_from or 0) + 1, DAYS - 1)
        if household.known_from is not None and chance.random() < WEB_USERS:
            yield from _web(household, first, chance, seed)
        if chance.random() < APP_USERS:
            yield from _app(household, first, chance, seed)
    for one, other in family_pairs(households):
        yield from _tablet(one, other, seed)
    for number in range(int(len(households) * STRANGERS)):
        yield from _stranger(number, seed)


def _days(first: int, count: int, chance: Random) -> list[int]:
    return sorted(chance.randint(first, DAYS - 1) for _ in range(count))


def _web(household: Household, first: int, chance: Random, seed: int) -> Iterator[Session]:
    """A browser that mostly logs in sooner or later; some clear their cookies and start anew, unknown again."""
    days = _days(first, chance.randint(1, 6), chance)
    first_login = chance.choice((0, 0, 0, 1, 1, 1, 2, 2, len(days), len(days)))
    cleared = chance.randint(1, 6) if chance.random() < 0.3 else len(days)
    for number, day in enumerate(days):
        cookie = f"ck-{token(seed, 'cookie', household.household_id, number >= cleared)}"
        email = on_day(household.emails, day)
        logs_in = number == first_login or (number > first_login and chance.random() < 0.7)
        login = email if logs_in and is_real(email) else None
        yield Session(f"w{household.household_id:04d}{number:02d}", "web", cookie, day, household, login)


def _app(household: Household, first: int, chance: Random, seed: int) -> Iterator[Session]:
    """A phone: most log in at once, some look around first."""
    device = f"dv-{token(seed, 'phone', household.household_id)}"
    first_login = chance.choice((0, 0, 0, 0, 1, 2))
    for number, day in enumerate(_days(first, chance.randint(1, 6), chance)):
        logs_in = number == first_login or (number > first_login and chance.random() < 0.85)
        login = on_day(household.cards, day) if logs_in else None
        late = chance.random() < OFFLINE
        yield Session(f"a{household.household_id:04d}{number:02d}", "app", device, day, household, login, late)


def _tablet(one: Household, other: Household, seed: int) -> Iterator[Session]:
    """A family's tablet: both households log in, each soon after the CRM knows both, then now one, now the other."""
    chance = dice(seed, "tablet", one.slot)
    device = f"dv-{token(seed, 'tablet', one.slot)}"
    start = max(one.known_from or 0, other.known_from or 0) + 1
    later = _days(start + 2, chance.randint(6, 14), chance)
    visits = [(start, one), (start + 1, other), *((day, chance.choice((one, other))) for day in later)]
    for number, (day, household) in enumerate(visits):
        login, late = on_day(household.cards, day), number > 1 and chance.random() < OFFLINE
        yield Session(f"t{one.slot:04d}{number:02d}", "app", device, day, household, login, late, shared=True)


def _stranger(number: int, seed: int) -> Iterator[Session]:
    """Somebody who never logs in, or does so with a placeholder that says nothing."""
    chance = dice(seed, "stranger", number)
    channel = chance.choice(("web", "web", "web", "app"))
    device = f"{'ck' if channel == 'web' else 'dv'}-{token(seed, 'stranger', number)}"
    placeholder = channel == "web" and chance.random() < 0.08
    for visit, day in enumerate(_days(0, chance.randint(1, 3), chance)):
        login = chance.choice(PLACEHOLDER_EMAILS) if placeholder else None
        yield Session(f"s{number:04d}{visit:02d}", channel, device, day, None, login)
