"""The real coupon redemptions, each with the card that its household had that day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from jobs.sample.days import date_of
from jobs.sample.feed import DayFile, Sighting, text_file
from jobs.sample.households import Household, on_day
from jobs.sample.real_data import RealData

HEADER = "card_number,coupon_upc,campaign_id,redemption_date"


class Redemptions:
    """``redemptions/``: CSV, one line a redeemed coupon."""

    source = "redemptions"
    extension = "csv"

    def __init__(self, real: RealData, households: Sequence[Household]) -> None:
        by_id = {household.household_id: household for household in households}
        self.sightings: list[Sighting] = []
        self._lines: dict[int, list[str]] = defaultdict(list)
        for row in real.redemptions.itertuples():
            card = on_day(by_id[row.household_id].cards, row.day)
            line = f"{card},{row.coupon_upc},{row.campaign_id},{date_of(row.day)}"
            self._lines[row.day].append(line)
            self.sightings.append(Sighting(int(row.day), 0, "loyalty_id", card, int(row.household_id)))

    def file(self, day: int) -> DayFile | None:
        """The redemptions of one day, in the data's order."""
        return text_file(self._lines[day], HEADER) if day in self._lines else None
