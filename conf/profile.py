"""The declared profile: its attributes, each with its merge policy, measures of activity, and consents."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from conf.activity import Measure, check_measures
from conf.consent import Consent
from conf.model import Declared

AttributeType = Literal["string", "int", "bigint", "double", "boolean", "date", "timestamp", "decimal(18,2)"]
Choice = Literal["latest", "earliest", "source_priority", "most_frequent", "longest", "max", "min"]
MergePolicy = Literal["latest", "earliest", "source_priority", "most_frequent", "longest", "max", "min", "union", "sum"]

SUMMED_TYPES = ("int", "bigint", "decimal(18,2)")
"""Types whose sum is the same in any order: a double's is not."""

KINDS_OF_TYPES = {
    "string": "text", "int": "int", "bigint": "bigint", "double": "number", "boolean": "boolean", "date": "date",
    "timestamp": "timestamp", "decimal(18,2)": "number",
}  # fmt: skip
"""The kind (``conf.kinds``) that an expression must have, or be castable to, to tell a value of the type."""


class Attribute(Declared):
    """One attribute of the profile.

    ``policy`` chooses among the values that count, or makes one of them all (``union``, ``sum``); ``fall_back`` chooses
    among those that the policy holds equal, and the latest among those that are still equal.
    ``valid_for``: a value counts for so many days, the one on which it was observed included.
    ``empty: erases``: an empty value says that there is none, and what any source told up to then counts no more.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    policy: MergePolicy = "latest"
    fall_back: Choice = "latest"
    type: AttributeType = "string"
    unit: str | None = None
    sources: tuple[str, ...] = ()
    valid_for: str | None = Field(default=None, pattern=r"^[1-9]\d{0,4}d$")
    empty: Literal["ignored", "erases"] = "ignored"
    personal: Literal["direct", "indirect", "none"] = "indirect"
    comment: str = ""

    @field_validator("policy", mode="before")
    @classmethod
    def _one_policy(cls, value: object) -> object:
        if isinstance(value, list):
            raise ValueError(f"found {value!r}; expected one policy (`fall_back` names a second one)")
        return value

    @model_validator(mode="after")
    def _policy_fits(self) -> Attribute:
        policies = (self.policy, self.fall_back)
        if "source_priority" in policies and not self.sources:
            raise ValueError(f"attribute {self.name}: the policy source_priority needs `sources`, best first")
        if "longest" in policies and self.type != "string":
            raise ValueError(f"attribute {self.name}: the policy longest needs the type string, found {self.type}")
        if self.policy == "sum" and self.type not in SUMMED_TYPES:
            raise ValueError(
                f"attribute {self.name}: the policy sum needs one of the types {', '.join(SUMMED_TYPES)}, found {self.type}"
            )
        if self.policy in ("union", "sum") and self.fall_back != "latest":
            raise ValueError(f"attribute {self.name}: the policy {self.policy} leaves nothing to choose: remove `fall_back`")
        return self

    @property
    def valid_days(self) -> int | None:
        """``valid_for`` in days; None: values never expire."""
        return int(self.valid_for[:-1]) if self.valid_for is not None else None


class ProfileConfig(Declared):
    """``conf/profile.yml``."""

    attributes: tuple[Attribute, ...] = ()
    activity: tuple[Measure, ...] = ()
    consents: tuple[Consent, ...] = ()

    @field_validator("attributes")
    @classmethod
    def _unique_names(cls, value: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
        _refuse_repeats([attribute.name for attribute in value])
        return value

    @field_validator("activity")
    @classmethod
    def _measures_fit(cls, value: tuple[Measure, ...]) -> tuple[Measure, ...]:
        check_measures(value)
        return value

    @field_validator("consents")
    @classmethod
    def _consents_once(cls, value: tuple[Consent, ...]) -> tuple[Consent, ...]:
        _refuse_repeats([f"{consent.channel} {consent.purpose}" for consent in value])
        return value

    @property
    def event_measures(self) -> tuple[Measure, ...]:
        """The measures that events are kept for: of the others, a day's activity and other measures tell enough."""
        return tuple(m for m in self.activity if m.over == "events" and m.measure != "formula")

    @property
    def has_windows(self) -> bool:
        """Whether a measure has a window, so that the day of ``as_of`` changes it."""
        return any(column.days is not None for measure in self.activity for column in measure.columns)

    @property
    def lifetimes(self) -> tuple[int, ...]:
        """Every number of days after which a value may expire."""
        return tuple(sorted({a.valid_days for a in self.attributes if a.valid_days is not None}))


def _refuse_repeats(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"declared twice: {', '.join(twice)}")
