from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jobs.sample.households import Household, plan_households
from jobs.sample.real_data import RealData, load_real_data
from jobs.sample.write_sample import write_sample

SEED = 2017


class Landing:
    """A written sample, and its feeds read back as anybody would."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def lines(self, source: str) -> Iterator[str]:
        for path in sorted((self.root / source).iterdir()):
            text = path.read_text().splitlines()
            yield from text if path.suffix == ".json" else text[1:]

    def events(self) -> list[dict[str, Any]]:
        found = []
        for line in self.lines("digital"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def crm(self) -> pd.DataFrame:
        files = sorted((self.root / "crm").iterdir())
        return pd.concat([pd.read_parquet(path).assign(file=path.name) for path in files], ignore_index=True)

    def truth(self) -> dict[tuple[str, str], str]:
        rows = pd.read_csv(self.root / "_truth" / "identifiers.csv", dtype=str)
        return {(row.namespace, row.value): row.person for row in rows.itertuples()}


@pytest.fixture(scope="session")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    """120 households, 60 days."""
    root = tmp_path_factory.mktemp("sample") / "landing"
    write_sample(root, days=60, households=120)
    return Landing(root)


@pytest.fixture(scope="session")
def real() -> RealData:
    return load_real_data(None)


@pytest.fixture(scope="session")
def households(real: RealData) -> tuple[Household, ...]:
    return plan_households(real, SEED)
