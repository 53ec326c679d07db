"""The landing area: which files are new, and their rows as raw text columns matched by name.

Files are named by their path below the landing root. A CSV file's header is read on its own and files are read in
groups of one header, since Spark matches CSV columns by position: a reordered header would swap values silently. So are
Parquet files by their footer, since Spark reads no column that is of two types. An error says no name of a column that may
be a value: the first line of a file without its header has the values of a row.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.errors import SourceError
from conf.source import Source
from conf.tables.bronze import DELIVERY_COLUMNS, RESERVED_NAMES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FileKey = tuple[str, str, int, int]
_PLAIN_NAME = re.compile(r"(?=.*[^\W\d_])[\w -]+")


@dataclass(frozen=True)
class LandedFile:
    """One file: ``path`` is below the landing root; ``key`` tells a changed file from the one that was read."""

    source: str
    path: str
    bytes: int
    modified_at: int

    @property
    def key(self) -> FileKey:
        """What ``ops.files`` knows it by."""
        return (self.source, self.path, self.bytes, self.modified_at)


@dataclass(frozen=True)
class Delivery:
    """New files of one source. ``headers`` has the paths of those that hold something, grouped by what the files say of
    their columns: their names (CSV), their names and types (Parquet), nothing (JSON).
    """

    source: Source
    root: str
    files: tuple[LandedFile, ...]
    headers: dict[tuple[str, ...], tuple[str, ...]]


def landing_root(landing: str) -> str:
    """The landing root as an absolute path or URI without a slash at its end."""
    from pathlib import Path

    return landing.rstrip("/") if "://" in landing else str(Path(landing).resolve())


def new_deliveries(sources: tuple[Source, ...], landing: str, known: set[FileKey]) -> list[Delivery]:
    """The files of every source that are not in ``known``, sources without any left out.

    Raises SourceError, naming all of them, where a source's folder is missing, and where a file cannot be what its source
    declares.
    """
    root = landing_root(landing)
    filesystem, base = _filesystem(root)
    missing = [f"{root}/{source.path}" for source in sources if not _is_folder(filesystem, f"{base}/{source.path}")]
    if missing:
        raise SourceError(
            f"The landing area lacks {len(missing)} declared folder(s): {', '.join(missing)}. Nothing was read. Deliver "
            "the files there, correct `path` in conf/sources/, or set `landing` in conf/env/."
        )
    deliveries = []
    for source in sources:
        files = tuple(file for file in _list_files(filesystem, base, source) if file.key not in known)
        if files:
            deliveries.append(Delivery(source, root, files, _headers(filesystem, base, source, files)))
    return deliveries


def read_delivery(spark: SparkSession, delivery: Delivery, ingested_at: datetime, held: Sequence[str] = ()) -> DataFrame | None:
    """All rows of a delivery as bronze wants them, without row keys; None where every file is empty.

    Raw columns are those that bronze has (``held``), those declared and those of the files, each once, as the first of
    them spells it. A row that the format cannot read has its text in ``_unparsed``.
    """
    from jobs.runtime.lake import union
    from transforms.sources.raw import in_columns, one_spelling

    if not delivery.headers:
        return None
    reader = {"csv": _read_csv, "json": _read_json, "parquet": _read_parquet}[delivery.source.format]
    frames = [reader(spark, delivery, header, paths) for header, paths in delivery.headers.items()]
    names = one_spelling((*held, *delivery.source.columns, *(name for frame in frames for name in frame.columns)))
    return union([in_columns(frame, names) for frame in frames]).withColumn("_ingested_at", _moment(ingested_at))


def check_columns(source: Source, found: Sequence[str]) -> None:
    """Raises SourceError where the mapping names a raw column that is neither in ``found``, which is what the files and
    bronze have, nor declared.
    """
    own = [column.name for column in DELIVERY_COLUMNS]
    folded = {name.lower() for name in (*found, *source.columns, *own)}
    missing = {c: where for c, where in source.raw_columns_used().items() if c.lower() not in folded}
    if missing:
        shown = ", ".join(sorted(name for name in found if name not in own and _PLAIN_NAME.fullmatch(name))) or "none"
        named = "; ".join(f"`{where}` names {column!r}" for column, where in missing.items())
        raise SourceError(
            f"sources/{source.source}.yml: {named}, but the files in {source.path} have no such column (they have: {shown}). "
            "Nothing was written. Correct the mapping, or list the column under `columns` if it may be absent."
        )


def _filesystem(root: str) -> tuple[Any, str]:
    from pyarrow import fs

    filesystem, base = fs.FileSystem.from_uri(root)
    return filesystem, base.rstrip("/")


def _is_folder(filesystem: Any, path: str) -> bool:
    from pyarrow import fs

    return bool(filesystem.get_file_info(path.rstrip("/")).type == fs.FileType.Directory)


def _list_files(filesystem: Any, base: str, source: Source) -> list[LandedFile]:
    from pyarrow import fs

    infos = filesystem.get_file_info(fs.FileSelector(f"{base}/{source.path}".rstrip("/"), recursive=True))
    files = []
    for info in infos:
        path = info.path[len(base) + 1 :]
        hidden = any(part.startswith((".", "_")) for part in path.split("/"))  # as Spark's own readers see it
        if info.type == fs.FileType.File and not hidden:
            files.append(LandedFile(source.source, path, info.size, int((info.mtime_ns or 0) // 1_000_000)))
    return sorted(files, key=lambda file: file.path)


def _headers(filesystem: Any, base: str, source: Source, files: tuple[LandedFile, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    grouped: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file in files:
        if file.bytes > 0:
            header: tuple[str, ...] = ()
            if source.format == "csv":
                header = _header(filesystem, f"{base}/{file.path}", source, file)
            elif source.format == "parquet":
                header = _footer(filesystem, f"{base}/{file.path}", file)
            grouped[header].append(file.path)
    return {header: tuple(paths) for header, paths in grouped.items()}


def _footer(filesystem: Any, path: str, file: LandedFile) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with filesystem.open_input_file(path) as stream:
            schema = pq.read_metadata(stream).schema
            names = schema.to_arrow_schema().names
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{file.path}: the footer cannot be read ({type(error).__name__}).") from None
    _check_names(names, file.path)
    return tuple(f"{column.path} {column.physical_type} {column.logical_type}" for column in schema)


def _header(filesystem: Any, path: str, source: Source, file: LandedFile) -> tuple[str, ...]:
    encoding = str(source.options.get("encoding", "utf-8-sig"))
    try:
        with filesystem.open_input_stream(path) as stream:
            first = stream.read(65_536).decode(encoding, errors="replace").splitlines()[0]
    except (OSError, IndexError, LookupError) as error:
        raise SourceError(f"{file.path}: the header cannot be read ({type(error).__name__}).") from None
    delimiter = str(source.options.get("sep", source.options.get("delimiter", ",")))
    names = next(csv.reader([first], delimiter=delimiter, quotechar=str(source.options.get("quote", '"')) or None))
    names = [name.strip() for name in names]
    used = source.raw_columns_used()
    if used and not {name.lower() for name in used}.intersection(name.lower() for name in names):
        raise SourceError(
            f"{file.path}: its first line, of {len(names)} column(s), names none of those that sources/{source.source}.yml maps "
            f"({', '.join(used)}). Nothing was written. Deliver the file with its header line, or correct the mapping or `sep`."
        )
    _check_names(names, file.path)
    return tuple(names)


def _check_names(names: Iterable[str], path: str) -> None:
    """Raises SourceError where raw columns cannot have these names."""
    folded = [name.lower() for name in names]
    unnamed = [str(place) for place, name in enumerate(folded, 1) if not name or folded.count(name) > 1]
    if unnamed:
        raise SourceError(f"{path}: the header names a column twice or not at all: column {', '.join(unnamed)}.")
    reserved = sorted(RESERVED_NAMES.intersection(folded))
    if reserved:
        raise SourceError(f"{path}: no column can be called {', '.join(reserved)}; the lake has its own by that name.")


def _options(source: Source) -> dict[str, str]:
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in source.options.items()}


def _read_csv(spark: SparkSession, delivery: Delivery, header: tuple[str, ...], paths: tuple[str, ...]) -> DataFrame:
    from pyspark.sql import types as T

    fields = [T.StructField(name, T.StringType()) for name in (*header, "_unparsed")]
    options = {**_options(delivery.source), "header": "true", "columnNameOfCorruptRecord": "_unparsed"}
    reader = spark.read.schema(T.StructType(fields)).options(**options)
    return _located(reader.csv(_spark_paths(delivery, paths)), delivery)


def _read_parquet(spark: SparkSession, delivery: Delivery, header: tuple[str, ...], paths: tuple[str, ...]) -> DataFrame:
    from pyspark.errors import AnalysisException

    try:
        return _located(spark.read.options(**_options(delivery.source)).parquet(*_spark_paths(delivery, paths)), delivery)
    except AnalysisException as error:
        advice = " Write times in microseconds: Spark is not set to read nanoseconds." if "nanoseconds" in str(header) else ""
        raise SourceError(f"{paths[0]}: Spark cannot read its columns ({error.getCondition()}).{advice}") from None


def _read_json(spark: SparkSession, delivery: Delivery, _: tuple[str, ...], paths: tuple[str, ...]) -> DataFrame:
    """As Spark's reader has it, unless keys are spelled in two ways, or it finds nothing but broken lines.

    Spark refuses two spellings of a key; over Connect it has been seen to drop one, so there keys are looked at first.
    """
    from pyspark.errors import AnalysisException
    from pyspark.sql.utils import is_remote

    from transforms.sources.json_keys import json_keys, json_objects, rows_by_key

    where = _spark_paths(delivery, paths)
    options = {"primitivesAsString": "true", "columnNameOfCorruptRecord": "_unparsed", **_options(delivery.source)}
    names: set[str] = set()
    try:
        rows = spark.read.options(**options).json(where)
        names = set(rows.columns) - {"_unparsed"}
    except AnalysisException as error:
        if error.getCondition() != "COLUMN_ALREADY_EXISTS":
            raise
    if names and not is_remote():
        _check_names(names, delivery.source.path)
        return _located(rows, delivery)
    text = spark.read.options(**options).text(where, wholetext=options.get("multiLine") == "true")
    objects = json_objects(_located(text, delivery), options)
    spellings: dict[str, set[str]] = defaultdict(set)
    for key in {key for row in json_keys(objects, options).collect() for key in row["keys"] or ()}:
        spellings[key.lower()].add(key)
    _check_names(spellings, delivery.source.path)
    if names and all(len(spelled) == 1 for spelled in spellings.values()):
        return _located(rows, delivery)
    return rows_by_key(objects, [tuple(sorted(spelled)) for _, spelled in sorted(spellings.items())], options)


def _spark_paths(delivery: Delivery, paths: tuple[str, ...]) -> list[str]:
    """Whole paths, in which a sign that Spark takes for a pattern stands for itself."""
    return [re.sub(r"([\\*?\[\]{}])", r"\\\1", f"{delivery.root}/{path}") for path in paths]


def _located(rows: DataFrame, delivery: Delivery) -> DataFrame:
    from pyspark.sql import functions as F

    from transforms.sources.raw import as_text

    # The path comes back as a URI, percent-encoded, in which a plus sign stands for itself.
    path = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    folder = re.escape(delivery.source.path.strip("/"))
    below = F.regexp_extract(path, f"(?:^|/)({folder}/.*)$", 1)
    located = rows.select("*", below.alias("_source_file"))
    text = as_text(located)
    return text if "_unparsed" in text.columns else text.withColumn("_unparsed", F.lit(None).cast("string"))


def _moment(moment: datetime) -> Any:
    from pyspark.sql import functions as F

    return F.lit(moment.isoformat()).cast("timestamp")
