from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.special import hyp2f1
from scipy.stats import nbinom

from models.bg_nbd import LARGEST_LOG, SMALLEST_LOG, BgNbd, _loss, fit_bg_nbd
from tests.models.cdnow import published_summary, weights

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)
a_parameter = st.floats(0.05, 20)
parameters = st.builds(BgNbd, a_parameter, a_parameter, a_parameter.filter(lambda a: abs(a - 1) > 1e-3), a_parameter)


@st.composite
def customers(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """One customer: repeats, recency, age (weeks)."""
    repeats, age = draw(st.integers(0, 30)), draw(st.floats(1, 100))
    recency = draw(st.floats(0.1, 1)) * age if repeats else 0.0
    return tuple(np.array([float(value)]) for value in (repeats, recency, age))


def test_the_parameters_of_cdnow_are_the_published_ones() -> None:
    rows = published_summary()
    found = fit_bg_nbd(*(rows[name].to_numpy(float) for name in ("repeats", "recency", "age")), customers=weights(rows))
    assert astuple(found) == pytest.approx(astuple(CDNOW), abs=0.0005)


def test_customers_given_as_combinations_with_counts_give_the_same_parameters() -> None:
    rows = published_summary()
    counted = rows.groupby(["repeats", "recency", "age"]).size().reset_index(name="customers")
    each = fit_bg_nbd(*(rows[name].to_numpy(float) for name in ("repeats", "recency", "age")), customers=weights(rows))
    grouped = fit_bg_nbd(*(counted[name].to_numpy(float) for name in ("repeats", "recency", "age", "customers")))
    assert astuple(grouped) == pytest.approx(astuple(each), rel=1e-4)


def test_the_slopes_are_those_of_the_likelihood() -> None:
    rows = published_summary()
    data = (*(rows[name].to_numpy(float) for name in ("repeats", "recency", "age")), weights(rows) / len(rows))
    error = check_grad(lambda logs: _loss(logs, *data)[0], lambda logs: _loss(logs, *data)[1], np.log(astuple(CDNOW)) + 0.3)
    assert error < 1e-5


@settings(max_examples=100, deadline=None)
@given(model=parameters, customer=customers(), weeks=st.floats(0.5, 30))
def test_the_expectation_is_that_of_the_paper(model: BgNbd, customer: Any, weeks: float) -> None:
    repeats, recency, age = customer
    r, alpha, a, b = astuple(model)
    assume(abs(a + b + repeats.item() - 1) > 1e-6)  # where what is printed has a gap
    series = hyp2f1(r + repeats, b + repeats, a + b + repeats - 1, weeks / (alpha + age + weeks))
    later = 1 - ((alpha + age) / (alpha + age + weeks)) ** (r + repeats) * series
    with np.errstate(all="ignore"):
        odds = np.where(repeats > 0, a / (b + repeats - 1) * ((alpha + age) / (alpha + recency)) ** (r + repeats), 0)
    printed = (a + b + repeats - 1) / (a - 1) * later / (1 + odds)
    assert model.expected_purchases(weeks, *customer) == pytest.approx(printed, rel=1e-5, abs=1e-7)


@settings(max_examples=100, deadline=None)
@given(model=parameters, customer=customers())
def test_a_longer_silence_is_a_smaller_chance_and_nobody_is_expected_to_buy_less_than_nothing(
    model: BgNbd, customer: Any
) -> None:
    repeats, recency, age = customer
    chances = [model.probability_alive(repeats, recency, age + weeks).item() for weeks in (0, 1, 10, 100)]
    assert chances == sorted(chances, reverse=True)
    assert 0 <= chances[-1] <= chances[0] <= 1
    expected = [model.expected_purchases(weeks, *customer).item() for weeks in (1, 10, 100)]
    assert 0 <= expected[0] <= expected[1] <= expected[2]


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (0.3, 0.7), (1.0, 2.0)])
def test_where_the_formula_has_a_gap_the_value_is_that_of_its_neighbours(a: float, b: float) -> None:
    once = tuple(np.array([value]) for value in (0.0, 0.0, 10.0))
    here, *beside = (BgNbd(0.5, 4.0, a, b + off).expected_purchases(12, *once).item() for off in (0, -1e-4, 1e-4))
    assert here == pytest.approx(sum(beside) / 2, rel=1e-5)


def test_hundreds_of_purchases_do_not_overflow() -> None:
    daily = tuple(np.array([value]) for value in (3000.0, 520.0, 520.0))
    assert 0 < CDNOW.expected_purchases(90 / 7, *daily).item() < 3000 / 520 * 90 / 7 + 1


def test_a_chance_to_leave_of_one_in_the_mean_is_no_gap() -> None:
    around = [
        BgNbd(0.5, 2.0, a, 1.0).expected_purchases(4, *(np.array([v]) for v in (3.0, 8.0, 9.0))).item()
        for a in (0.9999, 1.0, 1.0001)
    ]
    assert around == pytest.approx([around[1]] * 3, rel=1e-3)
    assert around[0] > around[2]


def test_parameters_that_customers_were_drawn_from_are_found_again() -> None:
    truth = BgNbd(0.8, 3.0, 0.6, 2.0)
    found = fit_bg_nbd(*drawn(truth, 20_000, weeks=78), customers=np.ones(20_000))
    assert astuple(found) == pytest.approx(astuple(truth), rel=0.12)


@pytest.mark.parametrize(
    ("repeats", "recency"),
    [([0.0] * 50, [0.0] * 50), ([5.0] * 50, [20.0] * 50), ([0.0] * 49 + [900.0], [0.0] * 49 + [39.0])],
    ids=["nobody came back", "all alike", "one of another kind"],
)
def test_customers_who_show_no_spread_give_parameters_all_the_same(repeats: list[float], recency: list[float]) -> None:
    data = np.array(repeats), np.array(recency), np.full(50, 40.0)
    model = fit_bg_nbd(*data, np.ones(50))
    assert np.isfinite(astuple(model)).all()
    expected = model.expected_purchases(90 / 7, *data)
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()


logs = st.floats(SMALLEST_LOG, LARGEST_LOG).map(np.exp)


@settings(max_examples=300, deadline=None)
@given(model=st.builds(BgNbd, logs, logs, logs, logs), customer=customers(), weeks=st.floats(0.5, 30))
def test_whatever_the_parameters_nobody_is_expected_to_buy_more_than_who_never_leaves(
    model: BgNbd, customer: Any, weeks: float
) -> None:
    repeats, _, age = customer
    expected = model.expected_purchases(weeks, *customer).item()
    assert 0 <= expected <= (model.r + repeats.item()) * weeks / (model.alpha + age.item())


@pytest.mark.parametrize(
    "parameters", [(0.06, 0.2, 8103, 1e-4), (0.07, 0.17, 8103, 2113), (0.06, 0.2, 700, 53), (9, 0.5, 3000, 7000)]
)
@pytest.mark.parametrize("repeats", [0.0, 1.0, 2.0, 9.0])
def test_chances_to_leave_that_hardly_differ_give_what_summing_over_purchases_gives(
    parameters: tuple[float, ...], repeats: float
) -> None:
    """The second purchase comes if there is time for it and the first was not the last, and so on."""
    model, weeks, age = BgNbd(*parameters), 90 / 7, 5.0
    numbers = np.arange(300)
    there_is_time = nbinom.sf(numbers, model.r + repeats, (model.alpha + age) / (model.alpha + age + weeks))
    staying = (model.b + repeats + numbers) / (model.a + model.b + repeats + numbers)
    summed = there_is_time @ np.concatenate([[1], np.cumprod(staying)[:-1]])
    found = model.expected_while_active(weeks, np.array([repeats]), np.array([age])).item()
    assert found == pytest.approx(summed, rel=1e-3)


@pytest.mark.parametrize("customers_by_purchases", [(400, 120), (400, 120, 40), (400, 150)])
def test_a_shop_that_customers_leave_soon_after_coming_back_has_an_expectation_for_each(
    customers_by_purchases: tuple[int, ...],
) -> None:
    dice = np.random.default_rng(20170101)
    repeats = np.repeat(np.arange(len(customers_by_purchases)), customers_by_purchases).astype(float)
    recency = np.where(repeats > 0, dice.integers(1, 15, len(repeats)) / 7, 0)
    age = dice.integers(60, 365, len(repeats)) / 7
    model = fit_bg_nbd(repeats, recency, age, np.ones(len(repeats)))
    expected = model.expected_purchases(90 / 7, repeats, recency, age)
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert 0 < expected.mean() < 0.1


def drawn(model: BgNbd, number: int, weeks: float) -> tuple[np.ndarray, ...]:
    """Customers as the model tells them, from a fixed seed: each buys, and may leave after each repeated purchase."""
    dice = np.random.default_rng(20170101)
    rates = dice.gamma(model.r, 1 / model.alpha, number)
    chances = dice.beta(model.a, model.b, number)
    repeats, recency = np.zeros(number), np.zeros(number)
    for i in range(number):
        at = dice.exponential(1 / rates[i])
        while at < weeks:
            repeats[i], recency[i] = repeats[i] + 1, at
            if dice.random() < chances[i]:
                break
            at += dice.exponential(1 / rates[i])
    return repeats, recency, np.full(number, weeks)
