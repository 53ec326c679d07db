"""Bad input ends with exit code 2 and one clear paragraph, and the lake is as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.tables.ops import FORMAT_VERSION
from jobs.runtime.lake import open_lake, table_name
from jobs.sample.write_sample import write_sample
from tests.journeys.lakes import Place, copy_of, versions

Harm = Callable[[Place], None]


@pytest.fixture
def place(built: Place, tmp_path: Path) -> Place:
    """A healthy lake, which bad input must not touch, for a test to harm, with one more day delivered."""
    place = copy_of(built, tmp_path)
    write_sample(place.landing, 1)
    return place


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


HARMS: dict[str, tuple[Harm, list[str]]] = {
    "a missing source folder": (
        lambda place: shutil.rmtree(place.landing / "pos"),
        ["The landing area lacks 1 declared folder(s)", "landing/pos"],
    ),
    "an unknown key": (
        lambda place: _edit(place.conf / "sources" / "pos.yml", "kind: events", "kind: events\nfromat: csv"),
        ["sources/pos.yml:", "`fromat`: unknown key; expected one of", "format"],
    ),
    "a mapping that names a column that is not there": (
        lambda place: _edit(place.conf / "sources" / "pos.yml", "order_id: basket_id", "order_id: cart_id"),
        ["sources/pos.yml: `maps.order_id` names 'cart_id'", "have no such column", "basket_id"],
    ),
    "a broken YAML": (
        lambda place: _edit(place.conf / "identity.yml", "namespaces:", "namespaces: ["),
        ["identity.yml:", "not valid YAML"],
    ),
    "an environment that is not there": (
        lambda place: (place.conf / "env" / "test.yml").unlink(),
        ["env/test.yml: the file is missing"],
    ),
}


@pytest.mark.parametrize("name", HARMS)
def test_bad_input_is_told_in_a_paragraph_and_changes_nothing(
    name: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    harm, told = HARMS[name]
    before = versions(place)
    harm(place)
    code = place.run("run")
    error = capsys.readouterr().err
    assert code == 2
    for part in told:
        assert part in error
    assert "Traceback" not in error
    if (place.conf / "env" / "test.yml").exists():
        assert versions_of_folder(place) == before


def versions_of_folder(place: Place) -> dict[str, int]:
    """As ``versions``, for a place whose configuration no longer reads."""
    from jobs.runtime.lake import Lake, version_of

    names = (
        f"{folder.parent.name}.{folder.name}"
        for schema in ("bronze", "silver", "gold")
        for folder in (place.lake / schema).glob("*")
    )
    return {name: version_of(None, Lake(str(place.lake)), name) for name in names}


def test_every_problem_is_told_at_once(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(place.conf / "sources" / "pos.yml", "kind: events", "kind: happenings")
    _edit(place.conf / "sources" / "crm.yml", "source: crm", "source: crmm")
    _edit(place.conf / "segments.yml", "monetary: sum", "monetary: median")
    assert place.run("run") == 2
    error = capsys.readouterr().err
    assert "The configuration has" in error
    for part in ("sources/pos.yml", "'happenings'", "sources/crm.yml", "segments.yml", "'median'"):
        assert part in error


def test_a_lake_of_a_newer_version_is_left_alone(spark: SparkSession, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    lake = open_lake(place.project().settings)
    spark.sql(f"UPDATE {table_name(lake, 'ops.lake')} SET format_version = {FORMAT_VERSION + 1}")
    before = versions(place)
    assert place.run("run") == 2
    assert f"has format version {FORMAT_VERSION + 1}" in capsys.readouterr().err
    assert versions(place) == before
