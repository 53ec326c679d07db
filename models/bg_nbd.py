"""BG/NBD: how often customers buy, and whether they still do.

While a customer is active, purchases come at a rate of their own; after each one they may leave for good, with a chance of
their own. Rates are gamma distributed among customers (``r``, ``alpha``), chances beta distributed (``a``, ``b``). What it
looks at of a customer: ``repeats`` (purchase days after the first), ``recency`` (weeks from the first to the last) and
``age`` (weeks from the first to today), called x, t_x and T in P. Fader, B. Hardie and K. Lee, "Counting Your Customers"
the Easy Way, Marketing Science 24 (2005), whose equations are named below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, hyp2f1

Numbers = NDArray[np.float64]

SMALLEST_LOG, LARGEST_LOG = -9.0, 9.0
"""Bounds of a parameter's logarithm: beyond them a distribution is a single point to many digits."""
LARGEST_LOG_A = 5.0
"""Where customers leave alike, the likelihood hardly tells one large ``a`` from the next, and the largest makes numbers that
no longer multiply.
"""
TOO_NEAR = 1e-6


@dataclass(frozen=True)
class BgNbd:
    """The four parameters; time is in weeks."""

    r: float
    alpha: float
    a: float
    b: float

    def probability_alive(self, repeats: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """The chance that somebody has not left: 1 for who bought once, since one leaves after a repeated purchase."""
        with np.errstate(over="ignore", divide="ignore"):
            odds = self.a / (self.b + repeats - 1) * ((self.alpha + age) / (self.alpha + recency)) ** (self.r + repeats)
        return np.where(repeats > 0, 1 / (1 + odds), 1.0)

    def expected_while_active(self, weeks: float, repeats: Numbers, age: Numbers) -> Numbers:
        """Purchase days expected in the next ``weeks`` of somebody who has not left yet (their leaving included).

        The numerator of equation 10, by Euler's transformation of its hypergeometric function: as printed it overflows
        from some hundred purchases on, while this one's parameters do not grow with purchases except where that helps.
        """
        a = self.a if abs(self.a - 1) > TOO_NEAR else 1 + TOO_NEAR  # a gap that has a limit on both sides
        z = weeks / (self.alpha + age + weeks)
        c = a + self.b + repeats - 1
        c = np.where(np.abs(c) > TOO_NEAR, c, TOO_NEAR)  # another one: who bought once, where a + b is 1
        without_leaving = (self.r + repeats) * weeks / (self.alpha + age)
        with np.errstate(all="ignore"):
            found = c / (a - 1) * (1 - (1 - z) ** (a - 1) * hyp2f1(a + self.b - 1 - self.r, a - 1, c, z))
        found = np.where(np.isfinite(found), found, self._expected_if_all_leave_alike(weeks, repeats, age))
        return np.clip(found, 0, without_leaving)

    def _expected_if_all_leave_alike(self, weeks: float, repeats: Numbers, age: Numbers) -> Numbers:
        """The limit where the power vanishes and the function overflows: the chance to leave is its mean for all of them."""
        chance = self.a / (self.a + self.b + repeats)
        return -np.expm1(-(self.r + repeats) * np.log1p(chance * weeks / (self.alpha + age))) / chance

    def expected_purchases(self, weeks: float, repeats: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """Purchase days expected in the next ``weeks`` (equation 10)."""
        alive = self.probability_alive(repeats, recency, age)
        return alive * self.expected_while_active(weeks, repeats, age)


def fit_bg_nbd(repeats: Numbers, recency: Numbers, age: Numbers, customers: Numbers) -> BgNbd:
    """The most likely parameters for so many ``customers`` with each combination (equation 6)."""
    start = np.log([1.0, max(float(np.average(age, weights=customers)) / 4, 1e-3), 1.0, 1.0])
    found = minimize(
        _loss,
        start,
        args=(repeats, recency, age, customers / customers.sum()),
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST_LOG, limit) for limit in (LARGEST_LOG, LARGEST_LOG, LARGEST_LOG_A, LARGEST_LOG)],
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9},
    )
    return BgNbd(*(float(value) for value in np.exp(found.x)))


def _loss(logs: Numbers, repeats: Numbers, recency: Numbers, age: Numbers, weights: Numbers) -> tuple[float, Numbers]:
    """The mean negative log-likelihood at parameters given by their logarithms, and its gradient."""
    r, alpha, a, b = np.exp(logs)
    chances = np.where(repeats > 0, b + repeats - 1, np.inf)  # who bought once never had the chance to leave
    stayed = -(r + repeats) * np.log(alpha + age)
    left = np.log(a) - np.log(chances) - (r + repeats) * np.log(alpha + recency)
    either = np.logaddexp(stayed, left)
    likelihood = (
        gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
        + gammaln(a + b) + gammaln(b + repeats) - gammaln(b) - gammaln(a + b + repeats) + either
    )  # fmt: skip
    has_left = np.exp(left - either)
    is_there = 1 - has_left
    of_either = has_left * np.log(alpha + recency) + is_there * np.log(alpha + age)
    pull = (r + repeats) * (has_left / (alpha + recency) + is_there / (alpha + age))
    slopes = np.stack(
        [
            digamma(r + repeats) - digamma(r) + np.log(alpha) - of_either,
            r / alpha - pull,
            digamma(a + b) - digamma(a + b + repeats) + has_left / a,
            digamma(a + b) + digamma(b + repeats) - digamma(b) - digamma(a + b + repeats) - has_left / chances,
        ]
    )
    return -float(weights @ likelihood), -(slopes @ weights) * np.exp(logs)
