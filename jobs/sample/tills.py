"""The till feed: the real baskets, line by line, with the household's generated card; a few bad lines on top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.sample.days import clock_text
from jobs.sample.dice import dice
from jobs.sample.dirt import card_variants
from jobs.sample.feed import DayFile, Sighting, text_file
from jobs.sample.households import Household
from jobs.sample.real_data import RealData

HEADER = (
    "basket_id,product_id,store_id,card_number,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,"
    "transaction_timestamp,department,product_category,brand,package_size"
)
MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
REPEAT_EVERY = 5
"""Every fifth day's file begins with lines of the day before: a till that sent its buffer twice."""

_UNTIDY_OF = 40
"""Of 40 baskets one has each of the three untidy spellings of its card."""


class Tills:
    """``pos/``: CSV, one line a product of a basket. Whether a line repeats or is bad depends on its day alone."""

    source = "pos"
    extension = "csv"

    def __init__(self, real: RealData, households: Sequence[Household], seed: int, days: range) -> None:
        self._seed = seed
        self._first = max(days.start - 1, 0)  # the day before the first may be repeated in it
        day = real.lines["day"].to_numpy()
        low, high = np.searchsorted(day, [self._first, days.stop])
        edges = np.searchsorted(day[low:high], np.arange(self._first, days.stop + 1))
        self._edges = [int(edge) for edge in edges]
        slots = _slots(real.lines["household_id"], households)
        replaced = np.array([household.replaced_on for household in households])
        second = day >= replaced[slots]
        self.sightings = _card_sightings(day, slots, second, households)
        lines = real.lines.iloc[low:high]
        self._lines = _as_text(lines, _cards(lines, slots[low:high], second[low:high], households), real.products)

    def file(self, day: int) -> DayFile | None:
        """The lines of one day by time, after repeated ones, with bad ones anywhere between."""
        lines = self._of(day)
        if not lines:
            return None
        chance = dice(self._seed, "tills", day)
        bad = _bad_lines(lines, day, chance.randint(1, 2))
        if day % REPEAT_EVERY == 2 and day > self._first:
            lines = self._repeated(day) + lines
        for line in bad:
            lines.insert(chance.randint(0, len(lines)), line)
        return text_file(lines, HEADER)

    def _of(self, day: int) -> list[str]:
        start, stop = self._edges[day - self._first], self._edges[day - self._first + 1]
        lines: list[str] = self._lines.slice(start, stop - start).to_pylist()
        return lines

    def _repeated(self, day: int) -> list[str]:
        before = self._of(day - 1)
        chance = dice(self._seed, "repeated", day)
        count = min(len(before), chance.randint(3, 12))
        start = chance.randint(0, len(before) - count)
        return before[start : start + count]


def _slots(household_ids: pd.Series[int], households: Sequence[Household]) -> np.ndarray:
    slot_of = np.zeros(max(household.household_id for household in households) + 1, dtype=np.int64)
    slot_of[[household.household_id for household in households]] = [household.slot for household in households]
    return slot_of[household_ids.to_numpy()]


def _card_sightings(day: np.ndarray, slots: np.ndarray, second: np.ndarray, households: Sequence[Household]) -> list[Sighting]:
    """The first day on which each card was scanned."""
    scanned = pd.DataFrame({"slot": slots, "second": second.astype(int), "day": day})
    first = scanned.groupby(["slot", "second"])["day"].min().reset_index()
    return [
        Sighting(int(row.day), 0, "loyalty_id", household.cards[row.second][1], household.household_id)
        for row in first.itertuples()
        for household in (households[row.slot],)
    ]


def _cards(lines: pd.DataFrame, slots: np.ndarray, second: np.ndarray, households: Sequence[Household]) -> pa.Array:
    """The card as the till printed it. All lines of a basket spell it alike, and a repeated line as the first time."""
    spellings = [
        spelling for which in (0, -1) for household in households for spelling in card_variants(household.cards[which][1])
    ]
    mixed = (lines["basket_id"].to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    choice = (mixed % np.uint64(_UNTIDY_OF)).astype(np.int64)
    spelling = np.where(choice < 4, choice, 0)
    return pa.array(spellings).take(pa.array(second * len(households) * 4 + slots * 4 + spelling))


def _as_text(lines: pd.DataFrame, cards: pa.Array, products: pd.DataFrame) -> pa.Array:
    """One CSV line a row. No text in the data has a comma, a quote or a line break, so nothing is quoted."""
    numbers = ("basket_id", "product_id", "store_id", "quantity")
    basket, product, store, quantity = (pa.array(lines[name]).cast(pa.string()) for name in numbers)
    money = [pa.array(lines[name]).cast(pa.decimal128(12, 2)).cast(pa.string()) for name in MONEY]
    # The data's nanoseconds are always zero.
    times = pa.array(lines["transaction_timestamp"]).cast(pa.timestamp("s")).cast(pa.string())
    ids = products["product_id"].to_numpy()
    row = np.minimum(np.searchsorted(ids, lines["product_id"].to_numpy()), len(ids) - 1)
    unknown = ids[row] != lines["product_id"].to_numpy()
    index = pa.array(row, mask=unknown)
    about = [pa.array(products[name]).take(index) for name in ("department", "product_category", "brand", "package_size")]
    columns = [basket, product, store, cards, quantity, *money, times, *about]
    return pc.binary_join_element_wise(*columns, ",", null_handling="replace", null_replacement="")


def _bad_lines(lines: list[str], day: int, count: int) -> list[str]:
    """Generated lines that cannot be read, of five kinds in turn; no real basket id begins with X."""
    made = []
    for number in range(count):
        fields = lines[(number * 7) % len(lines)].split(",")
        fields[0] = f"X{day:03d}{number:02d}"
        kind = (day + number * 2) % 5
        if kind == 0:
            fields[4] = "two"
        elif kind == 1:
            fields[9] = ""
        elif kind == 2:
            fields = fields[:4]
        elif kind == 3:
            fields[5] = "1.2.3"
        else:
            fields[9] = f"{clock_text(0)[:4]}-02-30 10:00:00"
        made.append(",".join(fields))
    return made
