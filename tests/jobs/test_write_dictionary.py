from __future__ import annotations

import json

import pytest

from conf.project import load_project
from conf.tables.contract import Table
from conf.tables.declared import declared_tables
from conf.tables.views import View, declared_views
from jobs import cli
from jobs.write_dictionary import dictionary_text
from tests.conftest import REPOSITORY

PROJECT = load_project()
TEXT = dictionary_text(PROJECT)


def test_the_dictionary_in_docs_is_current() -> None:
    written = (REPOSITORY / "docs" / "data-dictionary.md").read_text()
    assert written == TEXT, "make it again: .venv/bin/c360 dictionary > docs/data-dictionary.md"


@pytest.mark.parametrize("table", declared_tables(PROJECT), ids=lambda table: table.name)
def test_every_column_has_a_line_with_its_label_and_comment(table: Table) -> None:
    part = TEXT.partition(f"### {table.name}\n")[2].partition("\n### ")[0]
    for column in table.columns:
        (line,) = (line for line in part.splitlines() if line.startswith(f"| `{column.name}`"))
        assert f"| {column.personal} | {column.comment.replace('|', chr(92) + '|')} |" in line


@pytest.mark.parametrize("view", declared_views(PROJECT.profile), ids=lambda view: view.name)
def test_views_are_there_as_well(view: View) -> None:
    part = TEXT.partition(f"### {view.name} (view)\n{view.comment}.\n")[2].partition("\n### ")[0]
    assert [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")] == [c.name for c in view.columns]


def test_it_is_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dictionary", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    tables, views = ([of[kind] for of in told if kind in of] for kind in ("table", "view"))
    assert tables == [table.name for table in declared_tables(PROJECT)]
    assert views == [view.name for view in declared_views(PROJECT.profile)]
