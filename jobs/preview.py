"""What a mapping makes of a source's first rows, before any of it touches the lake."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from conf.errors import SourceError
from conf.expressions import parse_expression
from conf.project import Project
from conf.source import Source
from jobs.runtime.landing import check_columns, new_deliveries, read_delivery
from jobs.runtime.session import get_session
from transforms.sources.raw import SALT, first_deliveries, with_row_hash
from transforms.sources.standardise import standardise
from transforms.sources.suggest import suggest, suggestion_text

MASK = "***"
ROWS_LOOKED_AT = 100
_ROW_KEY = ("_row_hash", "_row_ordinal")
_SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "json"),
    ".parquet": "parquet",
}


def preview_source(project: Project, source: Source, rows: int) -> list[dict[str, Any]]:
    """The first rows of the source's first file as the standard schema has them, with the reasons to refuse them.

    Identifier values are masked, in ids that are made of them, too: a preview ends in terminals and tickets. Raises
    SourceError where there is no file, or not a column that the mapping names.
    """
    deliveries = new_deliveries((source,), project.settings.landing, set())
    if not deliveries:
        raise SourceError(f"The source {source.source} has no file in {project.settings.landing}/{source.path}.")
    delivery = deliveries[0]
    first = delivery.files[0]
    headers: dict[tuple[str, ...], tuple[str, ...]] = {
        header: (first.path,) for header, paths in delivery.headers.items() if first.path in paths
    }
    spark = get_session()
    frame = read_delivery(spark, replace(delivery, files=(first,), headers=headers), datetime.now(timezone.utc))
    if frame is None:
        raise SourceError(f"{first.path} is empty.")
    check_columns(source, frame.columns)
    keyed = first_deliveries(with_row_hash(frame.limit(rows))).withColumn(SALT, F.lit("preview"))
    tolerance, currency = project.settings.future_tolerance_seconds, project.segments.currency
    mapped = standardise(keyed, source, project.identity, tolerance, currency)
    names = [*source.standard_columns, "attributes", "identifiers", "reasons", "_raw"]
    raw = [F.col(f"`{name}`") for item in source.identifiers for name in parse_expression(item.value).columns]
    told = mapped.join(F.broadcast(keyed.select(*_ROW_KEY, F.array(*raw).alias("_raw"))), list(_ROW_KEY), "inner")
    return [_shown(row.asDict(recursive=True)) for row in told.select(*names).collect()]


def suggest_mapping(project: Project, path: Path) -> str:
    """A mapping to edit for a file that no source declares: the text of ``conf/sources/<name>.yml``.

    Reads the header or the first rows, without a session. Raises SourceError where the file does not read.
    """
    file_format = _SUFFIXES.get(path.suffix.lower())
    if file_format is None:
        raise SourceError(f"{path}: expected a file that ends with one of {', '.join(_SUFFIXES)}.")
    try:
        columns, options = _columns_of(path, file_format)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: the columns cannot be read ({type(error).__name__}).") from None
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_0123456789") or "feed"
    return suggestion_text(suggest(columns, project.identity), name, file_format, options)


def _columns_of(path: Path, file_format: str) -> tuple[list[str], dict[str, str | bool]]:
    if file_format == "parquet":
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names), {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        if file_format == "json":
            rows = [json.loads(line) for line in islice(file, ROWS_LOOKED_AT) if line.strip()]
            return list(dict.fromkeys(key for row in rows for key in row)), {}
        first = file.readline()
    separator = max(",;\t|", key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=separator))]
    return header, {"header": True, **({} if separator == "," else {"sep": separator})}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Without what is null; identifiers by namespace, their values and the attributes' values masked. In any other text, such
    as an id that is made of one, they are masked as well, and so is what they are made of, ``_raw``.
    """
    values = {value for value in (*row.pop("_raw"), *(i["value"] for i in row["identifiers"])) if value}
    longest_first = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    if longest_first:
        row = {k: re.sub(longest_first, MASK, v, flags=re.IGNORECASE) if isinstance(v, str) else v for k, v in row.items()}
    row["identifiers"] = [f"{i['namespace']}:{MASK}" + (f" ({i['blocked']})" if i["blocked"] else "") for i in row["identifiers"]]
    row["attributes"] = json.dumps(dict.fromkeys(row["attributes"], MASK)) if row["attributes"] else None
    return {key: value for key, value in row.items() if value is not None}
