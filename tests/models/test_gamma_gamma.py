from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy.optimize import check_grad

from models.gamma_gamma import _loss, fit_gamma_gamma
from tests.models.cdnow import published_summary, weights

CDNOW = (6.25, 3.74, 15.44)


def test_the_parameters_of_cdnow_are_the_published_ones() -> None:
    rows = published_summary().query("repeats > 0")
    assert len(rows) == 946
    found = fit_gamma_gamma(rows["repeats"].to_numpy(float), rows["mean"].to_numpy(float), weights(rows))
    assert astuple(found) == pytest.approx(CDNOW, abs=0.01)


def test_the_slopes_are_those_of_the_likelihood() -> None:
    rows = published_summary().query("repeats > 0")
    data = rows["repeats"].to_numpy(float), rows["mean"].to_numpy(float), weights(rows) / len(rows)
    error = check_grad(lambda logs: _loss(logs, *data)[0], lambda logs: _loss(logs, *data)[1], np.log(CDNOW) + 0.3)
    assert error < 1e-5


def test_another_currency_changes_nothing_but_the_unit() -> None:
    rows = published_summary().query("repeats > 0")
    days, mean = rows["repeats"].to_numpy(float), rows["mean"].to_numpy(float)
    euros, yen = (fit_gamma_gamma(days, mean * rate, weights(rows)) for rate in (1, 160))
    assert astuple(yen) == pytest.approx((euros.p, euros.q, 160 * euros.v), rel=1e-6)


def test_everybody_spending_the_same_gives_parameters_all_the_same() -> None:
    found = fit_gamma_gamma(np.array([1.0, 2.0, 5.0]), np.full(3, 20.0), np.ones(3))
    assert np.isfinite(astuple(found)).all()
    assert found.p * (found.v + 20) / (found.p + found.q - 1) == pytest.approx(20, rel=0.01)
