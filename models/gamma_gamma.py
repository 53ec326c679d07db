"""Gamma-Gamma: what a purchase of somebody brings, drawn towards everybody's mean the less is known of them.

Each purchase day's money is gamma distributed around a mean of the customer's own (shape ``p``), and the means are spread
among customers (``q``, ``v``), whatever their number of purchases. P. Fader and B. Hardie, The Gamma-Gamma Model of Monetary
Value (2013), brucehardie.com/notes/025.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from models.bg_nbd import LARGEST_LOG, SMALLEST_LOG, Numbers


@dataclass(frozen=True)
class GammaGamma:
    """The three parameters; ``v`` is in the lake's money."""

    p: float
    q: float
    v: float


def fit_gamma_gamma(purchases: Numbers, mean: Numbers, customers: Numbers) -> GammaGamma:
    """The most likely parameters for so many ``customers`` with a number of purchase days and a mean of money on them.

    Money is scaled to a mean of 1 meanwhile, so that the start is as good for yen as for euros.
    """
    scale = float(np.average(mean, weights=customers))
    found = minimize(
        _loss,
        np.log([2.0, 2.0, 1.0]),
        args=(purchases, mean / scale, customers / customers.sum()),
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST_LOG, LARGEST_LOG)] * 3,
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9},
    )
    p, q, v = np.exp(found.x)
    return GammaGamma(float(p), float(q), float(v * scale))


def _loss(logs: Numbers, purchases: Numbers, mean: Numbers, weights: Numbers) -> tuple[float, Numbers]:
    """The mean negative log-likelihood (equation 1a of the note) at the parameters' logarithms, and its gradient."""
    p, q, v = np.exp(logs)
    shape, total = p * purchases, purchases * mean
    likelihood = (
        gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
        + (shape - 1) * np.log(mean) + shape * np.log(purchases) - (shape + q) * np.log(total + v)
    )  # fmt: skip
    slopes = np.stack(
        [
            purchases * (digamma(shape + q) - digamma(shape) + np.log(total) - np.log(total + v)),
            digamma(shape + q) - digamma(q) + np.log(v) - np.log(total + v),
            q / v - (shape + q) / (total + v),
        ]
    )
    return -float(weights @ likelihood), -(slopes @ weights) * np.exp(logs)
