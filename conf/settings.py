"""Environment settings: where the lake is, where files land, what "now" means, where models are tracked."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from pydantic import Field, field_validator, model_validator

from conf.model import Declared


class SecretReference(Declared):
    """A reference to a secret, never its value: ``env: NAME``, or ``secret: scope/key`` on Databricks."""

    env: str | None = None
    secret: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SecretReference:
        if (self.env is None) == (self.secret is None):
            raise ValueError("expected either `env: NAME` or `secret: scope/key`")
        if self.secret is not None and self.secret.count("/") != 1:
            raise ValueError("expected `secret: scope/key`")
        return self


class Settings(Declared):
    """One environment. ``lake`` is a path, or ``catalog`` names a catalogue; exactly one is given.

    ``solve_in_one_task_up_to``: how many links the memory of one Python worker may take, at about 350 MB a million. More
    of them are solved in parts, each no larger as a rule.
    """

    lake: str | None = None
    catalog: str | None = None
    schema_prefix: str = ""
    landing: str = "./landing"
    as_of: str = "latest_event"
    future_tolerance: str = Field(default="1d", pattern=r"^\d+[hd]$")
    salt: SecretReference | None = None
    keep_files: str = Field(default="7d", pattern=r"^[1-9]\d*[hd]$")
    keep_runs: str = Field(default="365d", pattern=r"^[1-9]\d*[hd]$")
    solve_in_one_task_up_to: int = Field(default=10_000_000, ge=1)
    tracking_uri: str | None = None
    registry_uri: str | None = None
    experiment: str = "lakehouse-c360"
    model_name: str = "c360_segments"

    @field_validator("schema_prefix")
    @classmethod
    def _plain_prefix(cls, value: str) -> str:
        if value and not value.replace("_", "").isalnum():
            raise ValueError(f"found {value!r}; expected letters, digits and underscores")
        return value

    @field_validator("as_of")
    @classmethod
    def _as_of_reads(cls, value: str) -> str:
        parse_as_of(value)
        return value

    @model_validator(mode="after")
    def _one_lake(self) -> Settings:
        if (self.lake is None) == (self.catalog is None):
            raise ValueError("expected either `lake` (a path) or `catalog` (a name), not both and not none")
        if self.catalog is not None and self.tracking_uri is None:
            raise ValueError("`tracking_uri` is needed with `catalog`: there is no lake folder to keep MLflow in")
        return self

    @property
    def future_tolerance_seconds(self) -> int:
        """How far beyond its ingestion a time may lie before it counts as in the future, in seconds."""
        return int(_duration(self.future_tolerance).total_seconds())

    @property
    def files_kept(self) -> timedelta:
        """How long a file stays after it was replaced: for time travel, and for a stage that runs seldom."""
        return _duration(self.keep_files)

    @property
    def runs_kept(self) -> timedelta:
        """How long the log of runs goes back."""
        return _duration(self.keep_runs)


def _duration(text: str) -> timedelta:
    return timedelta(**{{"h": "hours", "d": "days"}[text[-1]]: int(text[:-1])})


def parse_as_of(value: str) -> datetime | None:
    """The moment that an ``as_of`` setting fixes, in UTC; None for ``latest_event`` and ``run_time``.

    A plain date means the end of that day, so that a day's own events are in it.
    """
    if value in ("latest_event", "run_time"):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"found {value!r}; expected latest_event, run_time, a date (2017-12-31) or a time (2017-12-31T18:00:00)"
        ) from None
    if len(value) == len("2017-12-31"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def resolve_secret(reference: SecretReference, what: str) -> str:
    """The value behind ``env: NAME``. Raises ValueError, naming the variable and never a value, where it is not set."""
    if reference.env is None:
        raise ValueError(f"{what}: `secret: {reference.secret}` can only be read on Databricks")
    value = os.environ.get(reference.env, "")
    if not value:
        raise ValueError(f"{what}: the environment variable {reference.env} is not set")
    return value
