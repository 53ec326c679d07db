"""All tables that a project declares, by layer: for upkeep, for the data dictionary, for tests."""

from __future__ import annotations

from conf.project import Project
from conf.tables import consents, gold, measures, ops, silver
from conf.tables.bronze import bronze_table
from conf.tables.contract import Table


def declared_tables(project: Project) -> tuple[Table, ...]:
    """Every table's contract: bronze in the order of the sources, then silver, gold and ops as they are declared."""
    bronze = [bronze_table(source.source, source.columns) for source in project.sources]
    makers = (silver.profile_attributes_table, measures.activity_measures_table, gold.customer_360_table)
    of_profile = [make(project.profile) for make in makers]
    modules = (silver, consents, gold, ops)
    constants = [value for module in modules for value in vars(module).values() if isinstance(value, Table)]
    layers = ("bronze", "silver", "gold", "ops")
    return tuple(sorted([*bronze, *constants, *of_profile], key=lambda table: layers.index(table.name.split(".")[0])))
