"""The CRM feed: generated contact data around the real demographics, one row whenever a household's data change."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.sample.days import SECONDS, timestamp
from jobs.sample.dice import dice
from jobs.sample.dirt import is_real, untidy_card, untidy_email, untidy_phone
from jobs.sample.feed import DayFile, Sighting
from jobs.sample.households import Household, on_day
from jobs.sample.real_data import DEMOGRAPHICS, RealData

CrmRow = dict[str, str | bool | datetime | None]

TEXTS = ("crm_id", "first_name", "last_name", "email", "phone", "card_number", "city", "postcode")
SCHEMA = pa.schema([
    *((name, pa.string()) for name in (*TEXTS, *DEMOGRAPHICS)),
    ("marketing_consent", pa.bool_()),
    ("updated_at", pa.timestamp("us", tz="UTC")),
])  # fmt: skip
REPEATED_ROWS = 0.04


class Crm:
    """``crm/``: Parquet, one row a change, with the whole state after it. Some rows come twice in a file."""

    source = "crm"
    extension = "parquet"

    def __init__(self, real: RealData, households: Sequence[Household], seed: int) -> None:
        self.sightings: list[Sighting] = []
        self._rows: dict[int, list[CrmRow]] = defaultdict(list)
        for household in households:
            about = real.demographics.get(household.household_id, {})
            for day in household.crm_days:
                chance = dice(seed, "crm row", household.household_id, day)
                row = _row(household, about, day, chance)
                self._rows[day].extend([row] * (2 if chance.random() < REPEATED_ROWS else 1))
                self.sightings.extend(_sightings(household, day))

    def file(self, day: int) -> DayFile | None:
        """The changes of one day by time, and on every fourth day a row that cannot be used."""
        if day not in self._rows:
            return None
        rows = sorted(self._rows[day], key=lambda row: (str(row["updated_at"]), str(row["crm_id"])))
        if day % 4 == 1:
            rows.append(_bad_row(day))
        target = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), target)
        return DayFile(len(rows), target.getvalue())


def _row(household: Household, about: Mapping[str, str | None], day: int, chance: Random) -> CrmRow:
    """The state after the night's update: before the shops open, so that a new card is known when it is first used."""
    email, phone = on_day(household.emails, day), on_day(household.phones, day)
    city, postcode = on_day(household.places, day)
    shouted = chance.random() < 0.05
    row: CrmRow = {
        "crm_id": household.crm_id,
        "first_name": household.first_name.upper() if shouted else household.first_name,
        "last_name": household.last_name.upper() if shouted else household.last_name,
        "email": None if email is None else untidy_email(email, chance),
        "phone": None if phone is None else untidy_phone(phone, chance),
        "card_number": untidy_card(on_day(household.cards, day), chance),
        "city": city,
        "postcode": postcode,
        "marketing_consent": on_day(household.consents, day),
        "updated_at": timestamp(day * SECONDS + chance.randint(600, 18_000)),
    }
    row.update({name: about.get(name) for name in DEMOGRAPHICS})
    return row


def _sightings(household: Household, day: int) -> list[Sighting]:
    values = {
        "crm_id": household.crm_id,
        "loyalty_id": on_day(household.cards, day),
        "email": on_day(household.emails, day),
        "phone": on_day(household.phones, day),
    }
    return [
        Sighting(day, 0, namespace, value, household.household_id)
        for namespace, value in values.items()
        if value is not None and is_real(value)
    ]


def _bad_row(day: int) -> CrmRow:
    """A row without an id, or without a time, by turns: left behind by an import."""
    without_id = day % 8 == 1
    return {
        "crm_id": None if without_id else f"X{day:03d}",
        "first_name": "Import",
        "last_name": "Test",
        "email": "test@test.com",
        "updated_at": timestamp(day * SECONDS) if without_id else None,
    }
