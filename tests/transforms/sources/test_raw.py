from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from transforms.sources.raw import as_text, first_deliveries, in_columns, one_spelling, with_row_hash

Row = tuple[str | None, ...]


def delivered(spark: SparkSession, columns: str, *rows: Row) -> DataFrame:
    """Raw rows, each with the file that brought it in its last place."""
    schema = ", ".join(f"`{name}` string" for name in [*columns.split(), "_source_file", "_unparsed"])
    return with_row_hash(spark.createDataFrame([(*row, None) for row in rows], schema))


def hashes(rows: DataFrame) -> list[str]:
    return [row._row_hash for row in rows.collect()]


def kept(rows: DataFrame) -> list[tuple[str, int, str]]:
    return sorted((row.card, row._row_ordinal, row._source_file) for row in first_deliveries(rows).collect())


def test_a_name_is_told_once_as_it_is_spelled_first() -> None:
    assert one_spelling(["Card", "day", "card", "DAY", "shelf"]) == ("Card", "day", "shelf")


def test_columns_are_found_in_any_case_and_a_missing_one_is_null(spark: SparkSession) -> None:
    rows = in_columns(spark.createDataFrame([("1", "2")], "`Card No` string, day string"), ["DAY", "card no", "shelf"])
    assert rows.columns == ["DAY", "card no", "shelf"]
    assert rows.collect()[0] == ("2", "1", None)


def test_every_value_becomes_text_and_nested_ones_json(spark: SparkSession) -> None:
    typed = spark.sql("select 1 as n, 2.50 as money, date '2017-01-02' as day, named_struct('a', 1) as s, array(1, 2) as l")
    assert as_text(typed).collect()[0] == ("1", "2.50", "2017-01-02", '{"a":1}', "[1,2]")


def test_null_stays_null_as_text(spark: SparkSession) -> None:
    assert as_text(spark.sql("select cast(null as int) as n, cast(null as array<int>) as l")).collect()[0] == (None, None)


def test_a_column_that_is_null_adds_nothing_to_the_hash(spark: SparkSession) -> None:
    before = delivered(spark, "card", ("1", "a.csv"))
    after = delivered(spark, "card colour", ("1", None, "b.csv"))
    assert hashes(before) == hashes(after)


def test_the_order_of_columns_does_not_change_the_hash(spark: SparkSession) -> None:
    assert hashes(delivered(spark, "card day", ("1", "2", "a"))) == hashes(delivered(spark, "day card", ("2", "1", "a")))


def test_a_value_in_another_column_and_an_empty_value_change_the_hash(spark: SparkSession) -> None:
    rows = delivered(spark, "card day", ("1", None, "a"), (None, "1", "a"), ("1", "", "a"), ("1", "null", "a"))
    assert len(set(hashes(rows))) == 4


def test_equal_rows_of_one_file_are_numbered(spark: SparkSession) -> None:
    rows = delivered(spark, "card", ("1", "a.csv"), ("1", "a.csv"), ("2", "a.csv"))
    assert kept(rows) == [("1", 1, "a.csv"), ("1", 2, "a.csv"), ("2", 1, "a.csv")]


def test_a_row_repeated_in_another_file_is_kept_once_with_the_first_file(spark: SparkSession) -> None:
    rows = delivered(spark, "card", ("1", "b.csv"), ("1", "a.csv"), ("1", "b.csv"))
    assert kept(rows) == [("1", 1, "a.csv"), ("1", 2, "b.csv")]
