from __future__ import annotations

import inspect

from conf.project import load_project
from conf.tables import gold, ops, silver
from conf.tables.declared import declared_tables

PROJECT = load_project()


def test_every_contract_is_there_once_by_layer() -> None:
    names = [table.name for table in declared_tables(PROJECT)]
    assert sorted(set(names)) == sorted(names)
    assert [name.split(".")[0] for name in names] == sorted(
        (name.split(".")[0] for name in names), key=("bronze", "silver", "gold", "ops").index
    )


def test_a_contract_that_the_profile_makes_is_not_forgotten() -> None:
    makers = [
        value
        for module in (silver, gold, ops)
        for name, value in vars(module).items()
        if name.endswith("_table") and inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    names = {table.name for table in declared_tables(PROJECT)}
    assert makers
    assert {maker(PROJECT.profile).name for maker in makers} <= names
