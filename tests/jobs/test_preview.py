"""What a preview shows of a source, and what of it nobody may read in a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conf.project import load_project
from jobs.preview import preview_source
from jobs.sample.write_sample import write_sample

pytestmark = pytest.mark.usefixtures("spark")


def previewed(landing: Path, source: str, rows: int) -> list[dict[str, Any]]:
    project = load_project()
    project = replace(project, settings=project.settings.model_copy(update={"landing": str(landing)}))
    return preview_source(project, project.source(source), rows)


def test_no_identifier_is_shown_in_an_id_that_is_made_of_it_either(tmp_path: Path) -> None:
    write_sample(tmp_path, 1, households=40)
    shown = previewed(tmp_path, "crm", 5)
    assert len(shown) == 5
    assert all(row["record_id"].startswith("***@2017-01-01") for row in shown)
    customers = pq.read_table(tmp_path / "crm" / "2017-01-01.parquet").to_pylist()
    personal = {value for row in customers for name in ("crm_id", "card_number", "email", "phone") if (value := row[name])}
    assert personal
    assert not any(value in json.dumps(shown, default=str) for value in personal)


def test_a_declared_column_that_the_first_file_lacks_is_null(tmp_path: Path) -> None:
    (tmp_path / "digital").mkdir()
    event = {"event_id": "1", "event": "login", "ts": "2017-01-01T08:00:00Z", "email": "ana@example.com"}
    (tmp_path / "digital" / "2017-01-01.json").write_text(json.dumps(event))
    (row,) = previewed(tmp_path, "digital", 5)
    assert row["event_type"] == "login"
    assert row["identifiers"] == ["email:***"]
    assert "page" not in row
