"""The landing area: which files are new, and their rows as raw text columns matched by name.

Files are named by their path below the landing root. A CSV file's header is read on its own and files are read in
groups of one header, since Spark matches CSV columns by position: a reordered header would swap values silently.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.errors import SourceError
from conf.source import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FileKey = tuple[str, str, int, int]


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
    """New files of one source, grouped by header where the format has one, and the raw columns they bring."""

    source: Source
    root: str
    files: tuple[LandedFile, ...]
    headers: dict[tuple[str, ...], tuple[str, ...]]

    def paths(self) -> list[str]:
        """The paths of all files that hold something."""
        return [f"{self.root}/{file.path}" for file in self.files if file.bytes > 0]


def landing_root(landing: str) -> str:
    """The landing root as an absolute path or URI without a slash at its end."""
    from pathlib import Path

    return landing.rstrip("/") if "://" in landing else str(Path(landing).resolve())


def new_deliveries(sources: tuple[Source, ...], landing: str, known: set[FileKey]) -> list[Delivery]:
    """The files of every source that are not in ``known``, sources without any left out.

    Raises SourceError, naming all of them, where a source's folder is missing.
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
            headers = _headers(filesystem, base, source, files) if source.format == "csv" else {}
            deliveries.append(Delivery(source, root, files, headers))
    return deliveries


def read_delivery(spark: SparkSession, delivery: Delivery, ingested_at: datetime) -> DataFrame | None:
    """All rows of a delivery as bronze wants them, without row keys; None where every file is empty.

    A row that the format cannot read has its text in ``_unparsed``.
    """
    from jobs.runtime.lake import union

    if not delivery.paths():
        return None
    if delivery.source.format == "csv":
        frames = [_read_csv(spark, delivery, header, paths) for header, paths in delivery.headers.items()]
    elif delivery.source.format == "json":
        frames = [_read_json(spark, delivery)]
    else:
        reader = spark.read.option("mergeSchema", "true").options(**_options(delivery.source))
        frames = [_located(reader.parquet(*delivery.paths()), delivery)]
    columns = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    return union([_with_columns(frame, columns) for frame in frames]).withColumn("_ingested_at", _moment(ingested_at))


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
            grouped[_header(filesystem, f"{base}/{file.path}", source, file)].append(file.path)
    return {header: tuple(paths) for header, paths in grouped.items()}


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
    folded = [name.lower() for name in names]
    twice = sorted({name for name in names if folded.count(name.lower()) > 1 or not name})
    if twice:
        raise SourceError(f"{file.path}: the header names a column twice or not at all: {twice}.")
    return tuple(names)


def _options(source: Source) -> dict[str, str]:
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in source.options.items()}


def _read_csv(spark: SparkSession, delivery: Delivery, header: tuple[str, ...], paths: tuple[str, ...]) -> DataFrame:
    from pyspark.sql import types as T

    fields = [T.StructField(name, T.StringType()) for name in (*header, "_unparsed")]
    options = {**_options(delivery.source), "header": "true", "columnNameOfCorruptRecord": "_unparsed"}
    reader = spark.read.schema(T.StructType(fields)).options(**options)
    return _located(reader.csv([f"{delivery.root}/{path}" for path in paths]), delivery)


def _read_json(spark: SparkSession, delivery: Delivery) -> DataFrame:
    options = {"primitivesAsString": "true", "columnNameOfCorruptRecord": "_unparsed", **_options(delivery.source)}
    return _located(spark.read.options(**options).json(delivery.paths()), delivery)


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


def _with_columns(frame: DataFrame, columns: list[str]) -> DataFrame:
    from pyspark.sql import functions as F

    present = set(frame.columns)
    return frame.select(*(F.col(f"`{n}`") if n in present else F.lit(None).cast("string").alias(n) for n in columns))


def _moment(moment: datetime) -> Any:
    from pyspark.sql import functions as F

    return F.lit(moment.isoformat()).cast("timestamp")
