"""The call centre's feed, generated: who called, from which number, and why; some hide their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random

from jobs.sample.days import DAYS, SECONDS, clock_text
from jobs.sample.dice import dice
from jobs.sample.dirt import HIDDEN_NUMBERS, is_real, untidy_phone
from jobs.sample.feed import DayFile, Sighting, text_file
from jobs.sample.households import Household, on_day
from jobs.sample.names import AGENTS, CALL_REASONS

HEADER = "call_id;called_at;phone;crm_id;reason;minutes;agent"


class Calls:
    """``calls/``: CSV separated by semicolons, one line a call."""

    source = "calls"
    extension = "csv"

    def __init__(self, households: Sequence[Household], seed: int) -> None:
        self.sightings: list[Sighting] = []
        self._lines: dict[int, list[str]] = defaultdict(list)
        for household in households:
            chance = dice(seed, "calls", household.household_id)
            for number in range(chance.choice((0, 0, 1, 1, 2, 3))):
                self._add(household, number, chance)

    def file(self, day: int) -> DayFile | None:
        """The calls of one day by time, and on every sixth day one whose time was not noted."""
        if day not in self._lines:
            return None
        lines = sorted(self._lines[day], key=lambda line: (line.split(";")[1], line))
        if day % 6 == 3:
            lines.append(f"X{day:03d};not recorded;;;{CALL_REASONS[0]};1;{AGENTS[0]}")
        return text_file(lines, HEADER)

    def _add(self, household: Household, number: int, chance: Random) -> None:
        day = chance.randint(0 if household.known_from is None else min(household.known_from + 1, DAYS - 1), DAYS - 1)
        moment = day * SECONDS + chance.randint(8 * 3600, 20 * 3600)
        phone, crm_id = _caller(household, day, chance)
        shown = untidy_phone(phone, chance) if phone else chance.choice(HIDDEN_NUMBERS)
        fields = (
            f"K{household.household_id:05d}{number:02d}", clock_text(moment), shown, crm_id or "",
            chance.choice(CALL_REASONS), str(chance.randint(1, 25)), chance.choice(AGENTS),
        )  # fmt: skip
        self._lines[day].append(";".join(fields))
        for namespace, value in (("phone", phone), ("crm_id", crm_id)):
            if value is not None:
                self.sightings.append(Sighting(day, moment, namespace, value, household.household_id))


def _caller(household: Household, day: int, chance: Random) -> tuple[str | None, str | None]:
    """Phone and CRM id that the agent noted. A number that the CRM does not have only comes with the CRM id, which
    is how the call centre ties a landline to its customer; whom the CRM does not know stays hidden.
    """
    kind = chance.random()
    if household.known_from is None:
        return None, None
    known = on_day(household.phones, day)
    if kind < 0.1:
        return household.landline, household.crm_id
    if kind < 0.2 or not is_real(known):
        return None, household.crm_id if chance.random() < 0.6 else None
    return known, household.crm_id if chance.random() < 0.6 else None
