"""Frames of links and identities on Spark."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

LINKS = (
    "identifier_id string, namespace string, value string, other_identifier_id string, other_namespace string, "
    "other_value string, first_seen timestamp, last_seen timestamp, times bigint"
)


def spark_links(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """Links, each from one source; with ``severed`` where the frame has it."""
    schema = LINKS + (", severed string" if "severed" in frame else "") + ", sources array<string>"
    frame = frame.assign(sources=[["web"]] * len(frame))
    for name in ("first_seen", "last_seen"):
        frame[name] = frame[name].dt.tz_convert(None)
    return spark.createDataFrame(frame, schema) if len(frame) else spark.createDataFrame([], schema)


def spark_identities(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """What finding a scope needs of identities."""
    return spark.createDataFrame(frame[["identifier_id", "component_id", "profile_id", "reason"]].astype(str))


def ids_of(frame: DataFrame) -> list[str]:
    return sorted(row.identifier_id for row in frame.select("identifier_id").collect())
