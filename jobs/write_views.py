"""``c360 views``: the statements that make the views for analysts. In a catalogue, publishing makes them by itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from conf.profile import ProfileConfig
from conf.tables.views import View, declared_views
from jobs.runtime.command import Commands, print_json, project_of
from jobs.runtime.lake import Lake, comment_clause, open_lake, table_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def create_views(spark: SparkSession, lake: Lake, profile: ProfileConfig) -> None:
    """Makes the views anew beside the gold tables, in a catalogue. A folder has no place for a view: nothing happens."""
    if lake.catalog is not None:
        for view in declared_views(profile):
            spark.sql(view_statement(lake, view))


def view_statement(lake: Lake, view: View) -> str:
    """Spark SQL that makes the view. Over a lake in a folder, it makes it in the current schema of whoever runs it."""
    name = f"`{view.name.split('.')[1]}`" if lake.catalog is None else table_name(lake, view.name)
    columns = ",\n".join(f"  `{column.name}` {comment_clause(column.comment)}" for column in view.columns)
    query = view.query.format(**{alias: table_name(lake, table) for alias, table in view.tables.items()})
    return f"CREATE OR REPLACE VIEW {name} (\n{columns}\n)\n{comment_clause(view.comment)}\nAS {query}"


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 views``."""
    text = "the SQL of the views for analysts; a lake in a catalogue has them already"
    parser = commands.add_parser("views", parents=[common], help=text)
    parser.set_defaults(command=_views)


def _views(options: argparse.Namespace) -> int:
    project = project_of(options)
    lake = open_lake(project.settings)
    statements = {view.name: view_statement(lake, view) for view in declared_views(project.profile)}
    print_json(statements) if options.json else print(*(f"{text};\n" for text in statements.values()), sep="\n", end="")
    return 0
