from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from conf.settings import SecretReference, Settings, parse_as_of, resolve_secret


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("latest_event", None),
        ("run_time", None),
        ("2017-12-31", datetime(2017, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
        ("2017-12-31T18:00:00", datetime(2017, 12, 31, 18, tzinfo=timezone.utc)),
        ("2017-12-31T18:00:00+02:00", datetime(2017, 12, 31, 16, tzinfo=timezone.utc)),
    ],
)
def test_a_day_ends_with_its_last_second_and_times_are_utc(value: str, moment: datetime | None) -> None:
    assert parse_as_of(value) == moment


@pytest.mark.parametrize(("value", "seconds"), [("1d", 86_400), ("36h", 129_600), ("0d", 0)])
def test_the_future_tolerance_is_days_or_hours(value: str, seconds: int) -> None:
    assert Settings(lake="x", future_tolerance=value).future_tolerance_seconds == seconds


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "expected either `lake`"),
        ({"lake": "x", "catalog": "y"}, "expected either `lake`"),
        ({"catalog": "y"}, "`tracking_uri` is needed with `catalog`"),
        ({"lake": "x", "as_of": "yesterday"}, "found 'yesterday'; expected latest_event"),
        ({"lake": "x", "future_tolerance": "soon"}, "future_tolerance"),
        ({"lake": "x", "schema_prefix": "a.b"}, "letters, digits and underscores"),
        ({"lake": "x", "salt": {}}, "expected either `env: NAME`"),
        ({"lake": "x", "salt": {"env": "A", "secret": "b/c"}}, "expected either `env: NAME`"),
        ({"lake": "x", "salt": {"secret": "no-scope"}}, "expected `secret: scope/key`"),
        ({"lake": "x", "salt": "the salt itself"}, "salt"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate(values)
    assert told in str(refusal.value)


def test_a_secret_is_read_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_TEST_SALT", "grains")
    assert resolve_secret(SecretReference(env="C360_TEST_SALT"), "salt") == "grains"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("C360_TEST_SALT", raising=False)
    with pytest.raises(ValueError, match="salt: the environment variable C360_TEST_SALT is not set"):
        resolve_secret(SecretReference(env="C360_TEST_SALT"), "salt")


def test_a_secret_of_a_workspace_is_read_only_there() -> None:
    with pytest.raises(ValueError, match="can only be read on Databricks"):
        resolve_secret(SecretReference(secret="c360/salt"), "salt")
