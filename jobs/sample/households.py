"""The generated identity of each real household: names, cards, e-mails phones, and how they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from jobs.sample.days import DAYS
from jobs.sample.dice import dice
from jobs.sample.dirt import PLACEHOLDER_EMAILS, PLACEHOLDER_PHONES
from jobs.sample.names import FIRST_NAMES, LAST_NAMES, PLACES
from jobs.sample.real_data import RealData

Value = TypeVar("Value")
Timeline = tuple[tuple[int, Value], ...]
"""From which day which value holds, in the order of days."""

IN_CRM = 0.778
"""Of the households without demographics; with the 801 that have them the CRM knows about 85% of all."""

FAMILIES = 0.15
NEVER = DAYS + 1


@dataclass(frozen=True)
class Household:
    """One real household with its generated identity. ``known_from``: the day the CRM has it, None if it never does.

    ``slot`` is its place in the hash order; slots 2n and 2n+1 are neighbours, and a ``family`` shares one tablet.
    """

    household_id: int
    slot: int
    known_from: int | None
    family: bool
    crm_id: str
    first_name: str
    last_name: str
    landline: str
    cards: Timeline[str]
    emails: Timeline[str | None]
    phones: Timeline[str | None]
    places: Timeline[tuple[str, str]]
    consents: Timeline[bool]

    @property
    def replaced_on(self) -> int:
        """The day from which tills scan the second card; after the last day if there is none."""
        return self.cards[1][0] if len(self.cards) > 1 else NEVER

    @property
    def crm_days(self) -> tuple[int, ...]:
        """The days on which the CRM delivers a row: when it first knows the household, and at each change."""
        if self.known_from is None:
            return ()
        timelines: tuple[Timeline[object], ...] = (self.cards, self.emails, self.phones, self.places, self.consents)
        changes = {day for timeline in timelines for day, _ in timeline if day > self.known_from}
        return (self.known_from, *sorted(changes))


def on_day(timeline: Timeline[Value], day: int) -> Value:
    """The value that holds on a day; before the first one, the first."""
    value = timeline[0][1]
    for start, later in timeline:
        if start <= day:
            value = later
    return value


def plan_households(real: RealData, seed: int) -> tuple[Household, ...]:
    """Every household of the sample, by slot. Neighbours are a family only if the CRM knows both apart."""
    in_crm = [_is_in_crm(real, household, seed) for household in real.households]
    plans = []
    for slot, household in enumerate(real.households):
        neighbour = slot ^ 1
        both_known = neighbour < len(in_crm) and in_crm[slot] and in_crm[neighbour]
        family = both_known and dice(seed, "family", slot // 2).random() < FAMILIES
        known_from = None
        if in_crm[slot]:
            known_from = _known_from(real.first_purchase[household], family, dice(seed, "known", household))
        plans.append(_make_household(household, slot, known_from, family, seed))
    return tuple(plans)


def family_pairs(households: Sequence[Household]) -> list[tuple[Household, Household]]:
    """The pairs of households that share a tablet."""
    return [(one, households[one.slot + 1]) for one in households if one.family and one.slot % 2 == 0]


def _is_in_crm(real: RealData, household: int, seed: int) -> bool:
    return household in real.demographics or dice(seed, "crm", household).random() < IN_CRM


def _known_from(first_purchase: int, family: bool, chance: Random) -> int:
    # Families come first, so that even a sample of a few days has both of them logging in on their tablet.
    if family:
        return chance.randint(0, 4)
    return min(max(first_purchase + chance.randint(-10, 14), 0), DAYS - 6)


def _make_household(household_id: int, slot: int, known_from: int | None, family: bool, seed: int) -> Household:
    chance = dice(seed, "household", household_id)
    surname = dice(seed, "surname", slot // 2) if family else chance
    first, last = chance.choice(FIRST_NAMES), surname.choice(LAST_NAMES)
    since = known_from or 0
    number = _scatter(slot, 10_000, seed)
    name = f"{first}.{last}".lower()
    addresses = (f"{name}{number}@example.com", f"{name[0]}.{last.lower()}{number}@example.net")
    return Household(
        household_id=household_id,
        slot=slot,
        known_from=known_from,
        family=family,
        crm_id=str(20_000 + number),
        first_name=first,
        last_name=last,
        landline=_phone(slot, 2, seed),
        cards=_cards(slot, known_from, chance, seed),
        emails=_contact(addresses, PLACEHOLDER_EMAILS, since, chance),
        phones=_contact((_phone(slot, 0, seed), _phone(slot, 1, seed)), PLACEHOLDER_PHONES, since, chance),
        places=_changing(chance.choice(PLACES), chance.choice(PLACES), 0.06, since, chance),
        consents=_changing(True, False, 0.15, since, chance),
    )


def _scatter(number: int, size: int, seed: int) -> int:
    """A number below ``size`` that looks random and that no other number below ``size`` gets (7,919 is prime)."""
    return (number * 7_919 + seed) % size


def _phone(slot: int, which: int, seed: int) -> str:
    """One of four numbers that only this slot has. The exchange 010 is never given out, so nobody owns one."""
    return f"+1555010{_scatter(slot * 4 + which, 10_000, seed):04d}"


def _cards(slot: int, known_from: int | None, chance: Random, seed: int) -> Timeline[str]:
    first, second = (f"LC{_scatter(slot * 2 + which, 1_000_000, seed):06d}" for which in (0, 1))
    lost = chance.random() < 0.03
    day = chance.randint(6, 330)
    # Only the CRM can say that two cards are one customer, so it has to know the household before the card is lost.
    if known_from is None or not lost or day <= known_from:
        return ((0, first),)
    return ((0, first), (day, second))


def _contact(values: tuple[str, str], placeholders: tuple[str, ...], since: int, chance: Random) -> Timeline[str | None]:
    """An e-mail or phone: mostly real from the start, sometimes missing or a placeholder; some change later."""
    kind, changes, placeholder = chance.random(), chance.random(), chance.choice(placeholders)
    day = chance.randint(min(since + 3, DAYS - 1), DAYS - 1)
    if kind >= 0.13:
        return ((0, values[0]), (day, values[1])) if changes < 0.12 else ((0, values[0]),)
    start = placeholder if kind < 0.06 else None
    return ((0, start), (day, values[0])) if changes < 0.3 else ((0, start),)


def _changing(before: Value, after: Value, share: float, since: int, chance: Random) -> Timeline[Value]:
    day = chance.randint(min(since + 3, DAYS - 1), DAYS - 1)
    if chance.random() < share and before != after:
        return ((0, before), (day, after))
    return ((0, before),)
