"""``c360 dictionary``: every table and column in words, from the contracts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pyspark.sql import types as T

from conf.project import Project
from conf.tables.contract import Column, Table
from conf.tables.declared import declared_tables
from conf.tables.views import View, declared_views
from jobs.runtime.command import Commands, print_json, project_of

LAYERS = {
    "gold": "What analysts query. The views are flat, for BI tools; a lake in a catalogue has them by itself.",
    "silver": "The standard schema, who is who, and what each profile did and is.",
    "bronze": "Raw rows as they came. A source's own columns are added as its files bring them, all text and all `direct`.",
    "ops": "What ran, and what is the lake's own.",
}
HEAD = """# Data dictionary
Made from the table contracts by `c360 dictionary > docs/data-dictionary.md`, for the configuration that comes with the code.
The same texts are the comments of tables and columns, so a BI tool or `DESCRIBE` shows them, too.

`personal` says how close a column's values are to a person: `direct` names or reaches one, `indirect` describes one, `none`
says nothing about anybody. A column with a `*` is part of the table's key. Times are in UTC, money is `decimal`."""


def dictionary_text(project: Project) -> str:
    """The dictionary of the project's tables, as Markdown: a part per layer, the one that is queried most first."""
    tables = declared_tables(project)
    parts = [HEAD]
    for layer, text in LAYERS.items():
        parts.append(f"## {layer}\n{text}")
        parts += [_table_text(table) for table in tables if table.name.startswith(f"{layer}.")]
        parts += [_view_text(view) for view in declared_views(project.profile) if view.name.startswith(f"{layer}.")]
    return "\n\n".join(parts) + "\n"


def _table_text(table: Table) -> str:
    facts = [f"{table.comment}."]
    if table.history:
        facts.append("It records what happened: its rows are not rebuilt.")
    if table.cluster_by:
        facts.append(f"Quick to ask by {' or '.join(f'`{name}`' for name in table.cluster_by)}.")
    return _part(table.name, facts, table.columns, table.keys)


def _view_text(view: View) -> str:
    return _part(f"{view.name} (view)", [f"{view.comment}."], view.columns, ())


def _part(title: str, facts: list[str], columns: Sequence[Column], keys: Sequence[str]) -> str:
    head = ["| column | type | personal | what it is |", "| --- | --- | --- | --- |"]
    return "\n".join([f"### {title}", " ".join(facts), "", *head, *(_column_line(column, keys) for column in columns)])


def _column_line(column: Column, keys: Sequence[str]) -> str:
    key = " *" if column.name in keys else ""
    comment = column.comment.replace("|", "\\|")
    return f"| `{column.name}`{key} | {_type(column.type)} | {column.personal} | {comment} |"


def _type(kind: T.DataType) -> str:
    """A type as SQL writes it; the fields of a list of structs by name alone."""
    if isinstance(kind, T.ArrayType) and isinstance(kind.elementType, T.StructType):
        return f"array of ({', '.join(kind.elementType.names)})"
    return kind.simpleString()


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 dictionary``."""
    parser = commands.add_parser("dictionary", parents=[common], help="every table and column in words, as Markdown")
    parser.set_defaults(command=_dictionary)


def _dictionary(options: argparse.Namespace) -> int:
    project = project_of(options)
    if not options.json:
        print(dictionary_text(project), end="")
        return 0
    tables = [_facts("table", table) | {"keys": table.keys} for table in declared_tables(project)]
    print_json([*tables, *(_facts("view", view) for view in declared_views(project.profile))])
    return 0


def _facts(kind: str, of: Table | View) -> dict[str, Any]:
    columns = [{"column": c.name, "type": _type(c.type), "personal": c.personal, "comment": c.comment} for c in of.columns]
    return {kind: of.name, "comment": of.comment, "columns": columns}
