from __future__ import annotations

import importlib
import inspect
import pkgutil
from inspect import signature

import conf.tables
from conf.project import load_project
from conf.tables.contract import Table
from conf.tables.declared import declared_tables

PROJECT = load_project()


def test_every_contract_is_there_once_by_layer() -> None:
    names = [table.name for table in declared_tables(PROJECT)]
    assert sorted(set(names)) == sorted(names)
    assert [name.split(".")[0] for name in names] == sorted(
        (name.split(".")[0] for name in names), key=("bronze", "silver", "gold", "ops").index
    )


def test_no_contract_of_any_module_is_forgotten() -> None:
    found = set()
    for module in (importlib.import_module(f"conf.tables.{found.name}") for found in pkgutil.iter_modules(conf.tables.__path__)):
        own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
        makers = [
            v for v in own if inspect.isfunction(v) and v.__name__.endswith("_table") and "profile" in signature(v).parameters
        ]
        found |= {maker(PROJECT.profile).name for maker in makers}
        found |= {value.name for value in vars(module).values() if isinstance(value, Table)}
    bronze = {f"bronze.{source.source}" for source in PROJECT.sources}
    assert found | bronze == {table.name for table in declared_tables(PROJECT)}
