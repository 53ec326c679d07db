from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from transforms.sources.json_keys import json_keys, json_objects, rows_by_key


def objects(spark: SparkSession, *texts: str) -> DataFrame:
    return json_objects(spark.createDataFrame([(text, "a.json") for text in texts], "value string, _source_file string"), {})


def test_a_list_has_an_object_a_row_and_what_does_not_read_is_one_object(spark: SparkSession) -> None:
    found = objects(spark, '{"a":1}', " ", '\ufeff[{"a":1}, {"b":[2]}]', '[{"a":1}', "[]")
    assert [row.object for row in found.collect()] == ['{"a":1}', '{"a":1}', '{"b":[2]}', '[{"a":1}']


def test_keys_are_told_apart_by_case(spark: SparkSession) -> None:
    keys = json_keys(objects(spark, '{"Card":1,"at":2}', '{"card":1}', '{"card":2}', "{"), {}).collect()
    assert sorted(row["keys"] or [] for row in keys) == [[], ["Card", "at"], ["card"]]


def test_spellings_of_a_key_are_one_column_and_a_row_with_two_values_keeps_its_text(spark: SparkSession) -> None:
    texts = ('{"Card":1,"at":{"b":2}}', '{"card":"2"}', '{"card":3,"Card":"3"}', '{"card":4,"Card":5}', '{"card"', "{}")
    rows = rows_by_key(objects(spark, *texts), [("Card", "card"), ("at",)], {})
    assert rows.columns == ["Card", "at", "_source_file", "_unparsed"]
    assert [(row.Card, row.at, row._unparsed) for row in rows.collect()] == [
        ("1", '{"b":2}', None),
        ("2", None, None),
        ("3", None, None),
        ("5", None, '{"card":4,"Card":5}'),
        (None, None, '{"card"'),
        (None, None, None),
    ]
