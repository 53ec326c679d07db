"""What the tests of measures share: events with few columns, and their measures as of a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.profile import ProfileConfig
from conf.tables.silver import EVENTS
from transforms.profile.activity import summarise_activity
from transforms.profile.measured_days import measure_days
from transforms.profile.measures import measure_profiles

START = date(2017, 1, 1)
SCHEMA = (
    "event_id string, source string, primary_identifier_id string, event_type string, occurred_at timestamp, occurred_on date, "
    "order_id string, product_id string, category string, channel string, quantity decimal(18,3), revenue decimal(18,2), "
    "attributes map<string,string>"
)


def event(number: int, who: str | None, kind: str, day: float, **told: Any) -> tuple[Any, ...]:
    """An event on a day (1 is 1 January 2017; 1.5 its noon), with what else is told of it."""
    at = datetime(2017, 1, 1, tzinfo=timezone.utc) + timedelta(days=day - 1)
    revenue = Decimal(told["revenue"]) if "revenue" in told else None
    texts = [told.get(name) for name in ("order", "product", "category", "channel")]
    return (f"e{number:05}", "shop", who, kind, at, at.date(), *texts, Decimal(1), revenue, told.get("attributes", {}))


def events_of(spark: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    frame = spark.createDataFrame(rows, SCHEMA)
    missing = {field.name: F.lit(None).cast(field.dataType) for field in EVENTS.schema if field.name not in frame.columns}
    return frame.withColumns(missing)


def profile_of(*measures: dict[str, Any]) -> ProfileConfig:
    return ProfileConfig.model_validate({"activity": list(measures)})


def measured(
    spark: SparkSession, profile: ProfileConfig, held: dict[str, str], as_of: int, *rows: tuple[Any, ...]
) -> dict[str, Any]:
    """The measures of every profile as of a day of 2017, from events and the profile of each identifier."""
    events = events_of(spark, list(rows))
    identities = spark.createDataFrame(list(held.items()), "identifier_id string, profile_id string")
    day = START + timedelta(days=as_of - 1)
    found = measure_profiles(measure_days(events, profile), summarise_activity(events), identities, profile, day)
    return {row.profile_id: row.asDict() for row in found.collect()}
