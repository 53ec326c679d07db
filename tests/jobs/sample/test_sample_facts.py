"""The real data arrive whole: with every day delivered, the published figures come out to the cent."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from jobs.sample.households import Household
from jobs.sample.real_data import RealData
from jobs.sample.write_sample import write_sample
from tests.jobs.sample.conftest import Landing


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    root = tmp_path_factory.mktemp("year") / "landing"
    write_sample(root, 366)
    return Landing(root)


def test_all_days_hold_every_household_purchase_and_cent(year: Landing) -> None:
    person_of = {value: person for (namespace, value), person in year.truth().items() if namespace == "loyalty_id"}
    lines: dict[str, int] = {}
    baskets: dict[str, int] = defaultdict(int)
    buyers: set[str] = set()
    for line in year.lines("pos"):
        if line.startswith("X"):
            continue
        basket, product, _, card, _, sales, _ = line.split(",", 6)
        cents = int(sales.replace(".", ""))
        assert lines.setdefault(f"{basket}-{product}", cents) == cents
        buyers.add(card)
    for key, cents in lines.items():
        baskets[key.split("-")[0]] += cents
    assert len(lines) == 1_469_307
    assert sum(lines.values()) == 459_603_958
    assert (len(baskets), sum(cents > 0 for cents in baskets.values())) == (155_848, 155_370)
    assert len({person_of[card.upper().replace(" ", "")] for card in buyers}) == 2_469


def test_money_has_two_decimals_and_a_line_fourteen_fields(year: Landing) -> None:
    first = next(iter(sorted((year.root / "pos").iterdir()))).read_text().splitlines()[1:]
    fields = [line.split(",") for line in first if not line.startswith("X")]
    assert {len(line) for line in fields} == {14}
    assert {len(text.split(".")[1]) for line in fields for text in line[5:9]} == {2}


def test_every_redemption_is_delivered(year: Landing) -> None:
    assert sum(1 for _ in year.lines("redemptions")) == 2_102


def test_the_crm_knows_most_households_and_all_with_demographics(real: RealData, households: tuple[Household, ...]) -> None:
    known = {household.household_id for household in households if household.known_from is not None}
    assert set(real.demographics) <= known
    assert 0.83 < len(known) / len(households) < 0.87


def test_real_demographics_come_unchanged(year: Landing, real: RealData, households: tuple[Household, ...]) -> None:
    household_of = {household.crm_id: household.household_id for household in households}
    rows = year.crm().dropna(subset=["crm_id", "updated_at"]).drop_duplicates("crm_id")
    incomes = {household_of[row.crm_id]: row.income for row in rows.itertuples() if row.income is not None}
    assert incomes == {household: about["income"] for household, about in real.demographics.items()}


def test_a_year_has_tens_of_thousands_of_visits_and_thousands_of_calls(year: Landing) -> None:
    assert 40_000 < sum(1 for _ in year.lines("digital")) < 70_000
    assert 1_000 < sum(1 for _ in year.lines("calls")) < 5_000


def test_the_first_households_of_the_order_are_the_small_sample(landing: Landing, households: tuple[Household, ...]) -> None:
    chosen = {f"household:{household.household_id}" for household in households[:120]}
    persons = {person for person in landing.truth().values() if person.startswith("household:")}
    assert persons <= chosen


def test_files_are_named_by_day_and_nothing_is_left_half_written(year: Landing) -> None:
    names = [Path(name) for name in year.files()]
    assert not [name for name in names if name.suffix == ".tmp"]
    days = {name.stem for name in names if name.parts[0] == "pos"}
    assert (len(days), min(days), max(days)) == (365, "2017-01-01", "2018-01-01")
