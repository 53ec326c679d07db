from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.quality.reasons import failed, reasons_of


def test_a_check_fails_where_a_condition_is_false_or_null(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1, True, True), (2, True, False), (3, True, None)], "id int, a boolean, b boolean")
    names = rows.select("id", failed("paid", [F.col("a"), F.col("b")])).collect()
    assert sorted(names) == [(1, None), (2, "paid"), (3, "paid")]


def test_a_check_without_conditions_never_fails(spark: SparkSession) -> None:
    assert spark.range(1).select(failed("paid", [])).collect()[0] == (None,)


def test_reasons_stand_once_in_order_unless_the_row_could_not_be_read(spark: SparkSession) -> None:
    rows = [(1, None, ["b", None], ["a", "b"]), (2, None, [None], []), (3, "text", ["a"], ["b"])]
    frame = spark.createDataFrame(rows, "id int, unparsed string, first array<string>, second array<string>")
    told = frame.select("id", reasons_of(F.col("unparsed"), F.col("first"), F.col("second"))).collect()
    assert sorted(told) == [(1, ["b", "a"]), (2, []), (3, ["unparsed"])]
