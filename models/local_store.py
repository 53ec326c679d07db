"""MLflow's SQLite store read directly, for the questions that every run asks: importing MLflow to ask takes seconds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SQLITE = "sqlite:///"


def store_file(uri: str) -> Path | None:
    """The file of a ``sqlite:////absolute/path`` store; None for a server or a platform."""
    return Path(uri.removeprefix(SQLITE)).absolute() if uri.startswith(SQLITE) else None


def is_missing(uri: str) -> bool:
    """Whether this is a local store that nobody has made yet."""
    path = store_file(uri)
    return path is not None and not path.is_file()


def read_alias(path: Path, model_name: str, alias: str) -> str | None:
    """The version that an alias stands for, None for none. Raises sqlite3.Error where the store has another layout."""
    rows = _read(path, "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?", model_name, alias)
    return str(rows[0][0]) if rows else None


def has_open_runs(path: Path) -> bool:
    """Whether any run is open. Raises sqlite3.Error where the store has another layout."""
    return bool(_read(path, "SELECT 1 FROM runs WHERE status = 'RUNNING' LIMIT 1"))


def _read(path: Path, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, parameters).fetchall()
