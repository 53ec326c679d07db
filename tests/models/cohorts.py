"""Generated customers whose kind is known: what a marketer would call them stands beside what they did."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession

from conf.segments import SegmentsConfig
from conf.tables.gold import RFM

AS_OF = datetime(2024, 12, 31, 20, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Cohort:
    """Customers of one kind. Every pair is a range: days since the last purchase, days active, days with a purchase,
    money a purchase day."""

    size: int
    ago: tuple[int, int]
    active: tuple[int, int]
    days: tuple[int, int]
    spend: tuple[int, int]


COHORTS = {
    "VIP": Cohort(60, ago=(0, 5), active=(340, 355), days=(90, 120), spend=(40, 60)),
    "Loyal": Cohort(150, ago=(3, 15), active=(330, 345), days=(35, 50), spend=(25, 35)),
    "Win-back": Cohort(70, ago=(80, 120), active=(200, 240), days=(45, 60), spend=(30, 40)),
    "Occasional": Cohort(150, ago=(15, 50), active=(250, 300), days=(6, 10), spend=(15, 25)),
    "New": Cohort(60, ago=(2, 15), active=(5, 30), days=(2, 3), spend=(15, 30)),
    "Dormant": Cohort(110, ago=(200, 330), active=(0, 0), days=(1, 1), spend=(10, 20)),
}


def default_config(**changes: Any) -> SegmentsConfig:
    """The sample's ``segments.yml`` with its first feature set alone, and with some keys replaced."""
    declared = yaml.safe_load((Path(__file__).parents[2] / "conf" / "segments.yml").read_text(encoding="utf-8"))
    sets = declared.pop("feature_sets")
    features = {} if "features" in changes or "feature_sets" in changes else {"features": sets["log"]}
    return SegmentsConfig.model_validate({**declared, **features, **changes})


def profile_id(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def rfm_row(key: str, ago: int, active: int, days: int, money: float) -> dict[str, Any]:
    """A row of gold.rfm: the last purchase ``ago`` days before AS_OF, the first ``active`` days before the last."""
    last = AS_OF.replace(hour=12) - timedelta(days=ago)
    revenue = Decimal(str(round(money, 2)))
    counts = {"purchases": days, "purchase_days": days, "units": Decimal(days), "frequency": days}
    times = {"first_purchase_at": last - timedelta(days=active), "last_purchase_at": last}
    return {"profile_id": profile_id(key), **times, **counts, "revenue": revenue, "monetary": revenue}


def cohort_rows(*missing: str, seed: int = 7) -> list[dict[str, Any]]:
    """Rows of gold.rfm for all cohorts but the missing ones; profile ids are ``profile_id('<cohort> <number>')``."""
    draw = random.Random(seed)
    rows = []
    for name, cohort in COHORTS.items():
        for number in range(cohort.size):
            ago, active, days = draw.randint(*cohort.ago), draw.randint(*cohort.active), draw.randint(*cohort.days)
            row = rfm_row(f"{name} {number}", ago, active, days, days * draw.uniform(*cohort.spend))
            if name not in missing:
                rows.append(row)
    return rows


def rfm_frame(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """The rows as gold.rfm."""
    return spark.createDataFrame([tuple(row[name] for name in RFM.column_names) for row in rows], RFM.schema)
