"""The least that a day costs: the rows that our run changed, known beforehand, merged by their keys and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import local_session, part
from benchmarks.harness import ComparisonError

if TYPE_CHECKING:
    from conf.tables.contract import Table
    from jobs.runtime.lake import Lake

COUNTED = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")


def copy_lake(lake: Path, target: Path) -> None:
    """A lake of its own: files of a table never change, so that links to them will do."""
    shutil.copytree(lake, target, copy_function=_link, ignore=shutil.ignore_patterns("_scratch"))


def find_changes(
    data: Path,
    target: Path,
    tables: Sequence[Table],
    run_ours: Callable[[Path, Path], None],
    digest: Callable[[Path], dict[str, Any]],
) -> None:
    """The rows that our run changes on the lake ``base``, from the change feeds; checked to come to the same when they are
    merged, by a digest of a lake.
    """
    from jobs.runtime.lake import Lake

    before = _versions_of(Lake(str(data / "base" / "lake")), tables)
    run_ours(data, target / "ours")
    _write_changes(Lake(str(target / "ours" / "lake")), tables, before, target)
    merge_barely(data, target / "bare", tables, target)
    ours, bare = (digest(target / way / "lake") for way in ("ours", "bare"))
    if ours != bare:
        raise ComparisonError(f"The bare MERGEs come to something else than ours ({bare}, {ours}).")
    for way in ("ours", "bare"):
        shutil.rmtree(target / way)


def merge_barely(data: Path, target: Path, tables: Sequence[Table], changes: Path) -> None:
    """The changed rows, merged by key into a copy of the lake ``base``, and nothing else."""
    from jobs.runtime.lake import Lake

    with part("copy"):
        copy_lake(data / "base" / "lake", target / "lake")
    with part("session"):
        local_session()
    with part("merge"):
        _merge_changes(Lake(str(target / "lake")), tables, changes)


def _versions_of(lake: Lake, tables: Sequence[Table]) -> dict[str, int]:
    """Each table's version now."""
    from jobs.runtime.lake import version_of

    return {table.name: version_of(local_session(), lake, table.name) for table in tables}


def _write_changes(lake: Lake, tables: Sequence[Table], before: Mapping[str, int], target: Path) -> None:
    """The rows that came, changed and went in each table since its version, in a folder each."""
    from jobs.runtime.lake import changed_rows

    now = _versions_of(lake, tables)
    for table in tables:
        rows = changed_rows(local_session(), lake, table.name, before[table.name], now[table.name])
        assert rows is not None, f"{table.name} has no change feed"
        rows.where("_change_type != 'update_preimage'").write.parquet(str(target / table.name))


def _merge_changes(lake: Lake, tables: Sequence[Table], changes: Path) -> None:
    """One MERGE a table."""
    from jobs.runtime.lake import table_name

    spark = local_session()
    for table in tables:
        spark.read.parquet(str(changes / table.name)).createOrReplaceTempView("changes")
        on = " AND ".join(f"t.{key} = s.{key}" for key in table.keys)
        sets = ", ".join(f"{column} = s.{column}" for column in table.column_names)
        columns, values = ", ".join(table.column_names), ", ".join(f"s.{column}" for column in table.column_names)
        spark.sql(
            f"MERGE INTO {table_name(lake, table.name)} t USING changes s ON {on} "
            f"WHEN MATCHED AND s._change_type = 'delete' THEN DELETE WHEN MATCHED THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
        )


def rows_written(lake: Path, tables: Sequence[str]) -> dict[str, int]:
    """How many rows of each table were inserted, updated and deleted since the lake was copied (:func:`copy_lake`)."""
    from deltalake import DeltaTable

    found = {}
    for name in tables:
        folder = lake / name.replace(".", "/")
        since = [commit for commit in DeltaTable(str(folder)).history() if not _is_linked(folder, commit["version"])]
        found[name] = sum(_rows_of(commit["operationMetrics"]) for commit in since)
    return found


def _is_linked(folder: Path, version: int) -> bool:
    """Whether a commit is one that the copy shares with the lake that it was made of."""
    return (folder / "_delta_log" / f"{version:020}.json").stat().st_nlink > 1


def _rows_of(metrics: Mapping[str, Any]) -> int:
    merged = sum(int(metrics.get(key, 0)) for key in COUNTED)
    return merged or int(metrics.get("numOutputRows", 0))  # rows that are all new are appended


def _link(source: Any, target: Any) -> Any:
    os.link(source, target)
    return target
