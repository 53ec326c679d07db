from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import ConfigurationError
from conf.model import Declared
from conf.reading import raise_problems, read_model


class Wheel(Declared):
    inches: int


class Bicycle(Declared):
    name: str
    gears: int = 1
    wheels: tuple[Wheel, ...] = ()


def problems_in(folder: Path, text: str) -> list[str]:
    path = folder / "bicycle.yml"
    path.write_text(text, encoding="utf-8")
    problems: list[str] = []
    model = read_model(path, Bicycle, "bicycle.yml", problems)
    assert (model is None) == bool(problems)
    return problems


def test_what_is_declared_is_read(tmp_path: Path) -> None:
    assert problems_in(tmp_path, "name: tandem\nwheels:\n  - {inches: 28}\n") == []


def test_a_wrong_value_is_told_with_file_line_key_found_and_expected(tmp_path: Path) -> None:
    (problem,) = problems_in(tmp_path, "name: tandem\n\ngears: many\n")
    assert problem.startswith("bicycle.yml:3: `gears`: found 'many'; input should be a valid integer")


def test_a_wrong_value_inside_a_list_is_told_with_its_own_line(tmp_path: Path) -> None:
    (problem,) = problems_in(tmp_path, "name: tandem\nwheels:\n  - inches: 28\n  - inches: big\n")
    assert problem.startswith("bicycle.yml:4: `wheels.1.inches`: found 'big'")


def test_an_unknown_key_lists_the_expected_ones(tmp_path: Path) -> None:
    assert problems_in(tmp_path, "name: tandem\ngaers: 3\n") == [
        "bicycle.yml:2: `gaers`: unknown key; expected one of gears, name, wheels"
    ]


def test_an_unknown_key_inside_a_list_lists_those_expected_there(tmp_path: Path) -> None:
    (problem,) = problems_in(tmp_path, "name: tandem\nwheels:\n  - {inches: 28, colour: red}\n")
    assert problem == "bicycle.yml:3: `wheels.0.colour`: unknown key; expected one of inches"


def test_a_key_that_stands_twice_is_told_with_the_second_line(tmp_path: Path) -> None:
    assert problems_in(tmp_path, "name: tandem\ngears: 1\ngears: 2\n") == ["bicycle.yml:3: key `gears` stands twice"]


def test_broken_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems_in(tmp_path, "name: tandem\nwheels: [\n")
    assert problem.startswith("bicycle.yml:3: not valid YAML: ")


@pytest.mark.parametrize(("text", "found"), [("- name\n", "['name']"), ("tandem\n", "'tandem'")])
def test_a_file_without_keys_is_told(tmp_path: Path, text: str, found: str) -> None:
    assert problems_in(tmp_path, text) == [f"bicycle.yml:1: expected keys and values, found {found}"]


def test_an_empty_file_lacks_what_is_needed(tmp_path: Path) -> None:
    assert problems_in(tmp_path, "") == ["bicycle.yml:1: `name`: is missing"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    problems: list[str] = []
    read_model(tmp_path / "none.yml", Bicycle, "none.yml", problems)
    assert problems == ["none.yml: the file is missing"]


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    problems = problems_in(tmp_path, "gears: many\ncolour: red\nwheels: [{inches: big}]\n")
    assert [problem.split("`")[1] for problem in problems] == ["name", "gears", "wheels.0.inches", "colour"]


def test_the_error_lists_every_problem_and_ends_with_exit_code_2() -> None:
    with pytest.raises(ConfigurationError) as raised:
        raise_problems(["first", "second"])
    assert str(raised.value) == "The configuration has 2 problems:\n  - first\n  - second"
    assert raised.value.exit_code == 2
