"""JSON objects key by key: Spark's own reader refuses keys that differ only in case, and reads no column of broken lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_MODE = {"mode": "PERMISSIVE"}  # what does not read is null


def json_objects(lines: DataFrame, options: Mapping[str, str]) -> DataFrame:
    """Text (``value``) with an object or a list of them -> a row for each, as text in ``object``, with ``_source_file``.

    Blank text has none; what does not read is taken for one object.
    """
    text = F.regexp_replace("value", "^\ufeff", "")  # what Windows puts before a file's text
    listed = F.when(text.rlike(r"^\s*\["), F.from_json(text, "array<string>", {**options, **_MODE}))
    texts = F.explode(F.coalesce(listed, F.array(text)))
    return lines.where(text.rlike(r"\S")).select("_source_file", texts.alias("object"))


def json_keys(objects: DataFrame, options: Mapping[str, str]) -> DataFrame:
    """The lists of keys (``keys``) that objects have, each once."""
    return objects.select(F.map_keys(_as_map(options)).alias("keys")).distinct()


def rows_by_key(objects: DataFrame, spellings: Iterable[tuple[str, ...]], options: Mapping[str, str]) -> DataFrame:
    """A column of text for each key, called as the first of its ``spellings``; what is nested stays JSON. Same grain.

    An object that does not read, or has different values under two spellings, keeps its text in ``_unparsed``.
    """
    read = objects.withColumn("_keys", F.explode(F.array(_as_map(options))))  # an array, so that it is computed once a row
    values = {names[0]: [F.col("_keys").getItem(name) for name in names] for names in spellings}
    at_odds = [_differ(told) for told in values.values() if len(told) > 1]
    is_unread = reduce(or_, at_odds, F.col("_keys").isNull())
    columns = [F.coalesce(*told).alias(name) for name, told in values.items()]
    return read.select(*columns, "_source_file", F.when(is_unread, F.col("object")).alias("_unparsed"))


def _as_map(options: Mapping[str, str]) -> Column:
    return F.from_json("object", "map<string,string>", {**options, **_MODE})


def _differ(values: list[Column]) -> Column:
    return F.size(F.array_distinct(F.array_compact(F.array(*values)))) > 1
