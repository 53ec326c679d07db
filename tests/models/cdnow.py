"""CDNOW: purchases of 2,357 customers of a web shop, who first bought in the first quarter of 1997. The data that the
published parameters are from; they come with the package ``lifetimes``, which is no longer kept: only tests use it.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

END, UNTIL = date(1997, 9, 30), date(1998, 6, 30)
"""The 39 weeks that are fitted on end with the one, the 39 weeks that are held out with the other."""


@cache
def transactions() -> pd.DataFrame:
    """Purchases: customer, date, value."""
    names = ["master_id", "customer", "date", "units", "value"]
    rows = pd.read_csv(_folder() / "CDNOW_sample.txt", header=None, sep=r"\s+", names=names, dtype={"date": str})
    return rows.assign(date=pd.to_datetime(rows["date"]))[["customer", "date", "value"]]


@cache
def published_summary() -> pd.DataFrame:
    """The authors' own summary, in weeks: repeats (x), recency (t_x), age (T), and mean value of repeated purchases."""
    return pd.read_csv(_folder() / "cdnow_customers_summary_with_transactions.csv").rename(
        columns={"x": "repeats", "t_x": "recency", "T": "age", "zbar": "mean"}
    )


def weights(rows: pd.DataFrame) -> np.ndarray:
    """One customer a row."""
    return np.ones(len(rows))


def _folder() -> Path:
    spec = find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets"
