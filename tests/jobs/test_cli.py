from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from conf.project import default_conf
from jobs import cli
from jobs.runtime import command, session


@pytest.fixture(autouse=True)
def without_spark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A session is not to be had, and nothing is written outside the test's own folder."""

    def refuse(*_: Any) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(session, "get_session", refuse)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for path in default_conf().rglob("*.yml"):
        target = tmp_path / "conf" / path.relative_to(default_conf())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path / "conf"


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """The exit code of a command, and what it said on standard error."""
    code = cli.main([str(argument) for argument in arguments])
    return code, capsys.readouterr().err


def test_a_missing_configuration_folder_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = told(capsys, "run", "--conf", "nowhere")
    assert (code, error) == (2, "c360: The configuration has a problem:\n  - nowhere: the configuration folder is missing\n")


def test_an_environment_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = told(capsys, "status", "--env", "staging")
    assert code == 2
    assert "env/staging.yml: the file is missing" in error


def test_configuration_that_does_not_validate_is_told_with_its_line(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (conf / "profile.yml").write_text("attributes:\n  - {name: city, polcy: latest}\n")
    code, error = told(capsys, "run", "--conf", conf)
    assert code == 2
    keys = "comment, empty, fall_back, name, personal, policy, sources, type, unit, valid_for"
    assert error.endswith(f"profile.yml:2: `attributes.0.polcy`: unknown key; expected one of {keys}\n")


def test_an_as_of_that_does_not_read_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = told(capsys, "run", "--as-of", "yesterday")
    assert code == 2
    assert "found 'yesterday'; expected latest_event, run_time, a date" in error


def test_missing_landing_folders_are_bad_input_and_no_lake_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "landing").mkdir()
    code, error = told(capsys, "run")
    assert code == 2
    assert error.startswith("c360: The landing area lacks 5 declared folder(s): ")
    assert not (tmp_path / "lakehouse").exists()


def test_a_preview_of_an_undeclared_source_lists_the_declared_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = told(capsys, "preview", "erp")
    assert code == 2
    assert "there is no source 'erp'; declared are calls, crm, digital, pos, redemptions" in error


def test_a_preview_of_a_file_is_a_mapping_to_edit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Orders-2017.csv").write_text("order_id;amount;email;ordered_at\n")
    assert cli.main(["preview", "Orders-2017.csv"]) == 0
    shown = capsys.readouterr().out
    assert 'source: orders\nkind: events\npath: orders/\nformat: csv\noptions: {header: true, sep: ";"}\n' in shown
    assert "occurred_at: cast(ordered_at as timestamp)" in shown
    assert "- {namespace: email, value: email}" in shown


def test_the_status_of_a_lake_that_is_not_there_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "status") == (0, "")


def test_an_error_is_json_too_where_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--conf", "nowhere", "--json"]) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["exit_code"] == 2
    assert "nowhere: the configuration folder is missing" in shown["error"]


def test_an_unforeseen_error_is_one_line_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "project_of", lambda options: {}["lost"])
    assert told(capsys, "status") == (1, "c360: KeyError: 'lost' (--debug shows where)\n")


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--fast"], ["sample", "--days", "many"]])
def test_a_command_line_that_does_not_parse_ends_with_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "usage: c360" in capsys.readouterr().err


def test_the_console_script_raises_only_on_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "main", lambda: 0)
    cli.console()
    monkeypatch.setattr(cli, "main", lambda: 2)
    with pytest.raises(SystemExit) as end:
        cli.console()
    assert end.value.code == 2
