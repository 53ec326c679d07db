from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.name_sets import BITS, set_of_names

NAMES = [f"name {number:02}" for number in range(BITS)]


@pytest.mark.parametrize("names", [[], NAMES, [*NAMES, "one more"]], ids=["unknown", "as many as fit", "one more"])
def test_the_names_of_each_group_come_sorted_and_once(spark: SparkSession, names: list[str]) -> None:
    told = {"all": [*reversed(NAMES), *NAMES], "last": [NAMES[-1], None], "first": [NAMES[0]], "none": [None]}
    frame = spark.createDataFrame([(key, name) for key, row in told.items() for name in row], "key string, name string")
    found = frame.groupBy("key").agg(set_of_names(F.col("name"), names).alias("names")).collect()
    assert {row.key: row.names for row in found} == {"all": NAMES, "last": NAMES[-1:], "first": NAMES[:1], "none": []}


def test_known_names_are_added_up_in_place(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    frame = spark.createDataFrame([("k", "a")], "key string, name string")
    frame.groupBy("key").agg(set_of_names(F.col("name"), ["a", "b"]).alias("names")).explain()
    plan = capsys.readouterr().out
    assert "HashAggregate" in plan
    assert "ObjectHashAggregate" not in plan
    assert "Sort" not in plan
