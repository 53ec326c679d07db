"""What the journeys share: a configuration for a test, the command line in this process, and a lake's contents."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyspark.sql import SparkSession

from conf.project import Project, default_conf, load_project
from conf.tables.consents import CONSENTS
from conf.tables.contract import Table
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.measures import activity_measures_table
from conf.tables.silver import (
    ACTIVITY,
    EVENTS,
    IDENTITIES,
    IDENTITY_LINKS,
    QUARANTINE,
    RECORDS,
    profile_attributes_table,
)
from jobs.cli import main
from jobs.runtime.lake import Lake, exists, fetch, open_lake, version_of

SALT = "a salt that all lakes of a test share"
DELIVERY_FACTS = ("source_file",)
"""Where a row was delivered first depends on the order of deliveries; what it says does not."""
OF_THE_MOMENT = ("segment_since", "segment_reason", "previous_segment", "segment_distance")


@dataclass(frozen=True)
class Place:
    """A configuration folder, a landing folder and a lake of a test's own."""

    conf: Path
    landing: Path
    lake: Path

    def project(self) -> Project:
        return load_project(self.conf, "test", str(self.lake))

    def run(self, *arguments: str) -> int:
        """``c360 ARGUMENTS`` in this process, on this place."""
        os.environ["C360_SALT"] = SALT
        where = ("--conf", str(self.conf), "--env", "test", "--lake", str(self.lake), "--landing", str(self.landing))
        return main([*arguments, *where])

    def run_json(self, capsys: Any, *arguments: str) -> dict[str, Any]:
        """The same, and what it prints with ``--json``. The command must succeed."""
        capsys.readouterr()
        assert self.run(*arguments, "--json") == 0
        return json.loads(capsys.readouterr().out)


def make_place(folder: Path, lake: str = "lake", landing: Path | None = None, conf: Path | None = None, **settings: Any) -> Place:
    """A place below ``folder``; lakes of one folder share their MLflow store, so one champion serves them all."""
    own = folder / "conf"
    if not own.exists():
        shutil.copytree(conf or default_conf(), own, ignore=shutil.ignore_patterns("__pycache__", "*.py", "tables"))
        env = {"lake": "unused", "salt": {"env": "C360_SALT"}, "tracking_uri": f"sqlite:///{folder}/mlflow/mlflow.db"}
        (own / "env").mkdir(exist_ok=True)
        (own / "env" / "test.yml").write_text(yaml.safe_dump({**env, **settings}))
        _train_quickly(own / "segments.yml")
    return Place(own, landing or folder / "landing", folder / lake)


def place_in(folder: Path) -> Place:
    """The place that :func:`make_place` made in this folder."""
    return Place(folder / "conf", folder / "landing", folder / "lake")


def copy_of(place: Place, folder: Path) -> Place:
    """The same configuration, landing folder, lake and models in another folder, to be changed there."""
    copied = make_place(folder)
    for part in ("landing", "lake", "mlflow"):
        shutil.copytree(place.lake.parent / part, folder / part)
    return copied


def _train_quickly(path: Path) -> None:
    """Few candidates and one resample: what a journey shows of a training does not depend on how long it searches."""
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    declared["feature_sets"] = dict([*declared.get("feature_sets", {}).items()][:1])
    declared["clusters"] |= {"methods": ["kmeans"], "starts": 1, "finalists": 1, "resamples": 1}
    path.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")


def rebuilt_tables(project: Project) -> list[Table]:
    """Silver and gold tables that an empty lake, built at once, holds just the same."""
    profile = project.profile
    silver = [EVENTS, RECORDS, QUARANTINE, IDENTITY_LINKS, IDENTITIES, ACTIVITY, profile_attributes_table(profile)]
    silver += [activity_measures_table(profile)] if profile.event_measures else []
    silver += [CONSENTS] if profile.consents else []
    return [*silver, RFM, RFM_SCORES, customer_360_table(profile)]


def contents(spark: SparkSession, lake: Lake, project: Project) -> dict[str, list[str]]:
    """Every rebuilt table's rows, sorted, and who is in which segment now."""
    found = {table.name: rows_of(spark, lake, table) for table in rebuilt_tables(project)}
    now = ("profile_id", "segment", "model_version")
    found["current segments"] = _sorted(fetch(spark, lake, SEGMENT_ASSIGNMENTS.name, now, "is_current"))
    return found


def contents_of(spark: SparkSession, place: Place) -> dict[str, list[str]]:
    """:func:`contents` of a place's lake."""
    project = place.project()
    return contents(spark, open_lake(project.settings), project)


def assert_same_contents(left: dict[str, list[str]], right: dict[str, list[str]]) -> None:
    """Fails naming the first table that differs, and the first rows that do."""
    for name, rows in left.items():
        only_left, only_right = sorted(set(rows) - set(right[name])), sorted(set(right[name]) - set(rows))
        assert rows == right[name], f"{name}: only in one {only_left[:2]}, only in the other {only_right[:2]}"
        assert rows, f"{name} is empty, so the comparison would show nothing"


def versions(place: Place) -> dict[str, int]:
    """The version of every bronze, silver and gold table that there is."""
    lake = open_lake(place.project().settings)
    return {name: version_of(None, lake, name) for name in _table_names(place) if exists(None, lake, name)}


def _table_names(place: Place) -> Iterator[str]:
    for schema in ("bronze", "silver", "gold"):
        for folder in sorted((place.lake / schema).glob("*")):
            yield f"{schema}.{folder.name}"


def rows_of(spark: SparkSession, lake: Lake, table: Table) -> list[str]:
    """The table's rows as text, sorted, without what depends on when rows were delivered or looked at."""
    left_out = {*DELIVERY_FACTS, *OF_THE_MOMENT}
    return _sorted(fetch(spark, lake, table.name, tuple(name for name in table.column_names if name not in left_out)))


def _sorted(rows: pa.Table) -> list[str]:
    maps = [field.name for field in rows.schema if pa.types.is_map(field.type)]
    found = rows.to_pylist()
    for row in found:
        row.update({name: sorted(row[name]) for name in maps if row[name] is not None})
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in found)
