"""The declared profile: which attributes it has, and which source's value wins (the merge policy)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from conf.model import Declared

AttributeType = Literal["string", "int", "bigint", "double", "boolean", "date", "timestamp", "decimal(18,2)"]
MergePolicy = Literal["latest", "earliest", "source_priority", "most_frequent"]


class Attribute(Declared):
    """One attribute of the profile. ``source_priority`` falls back on the latest value within a source."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    policy: MergePolicy = "latest"
    type: AttributeType = "string"
    sources: tuple[str, ...] = ()
    personal: Literal["direct", "indirect", "none"] = "indirect"
    comment: str = ""

    @model_validator(mode="after")
    def _priority_names_sources(self) -> Attribute:
        if self.policy == "source_priority" and not self.sources:
            raise ValueError(f"attribute {self.name}: the policy source_priority needs `sources`, best first")
        return self


class ProfileConfig(Declared):
    """``conf/profile.yml``."""

    attributes: tuple[Attribute, ...] = ()

    @field_validator("attributes")
    @classmethod
    def _unique_names(cls, value: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
        names = [attribute.name for attribute in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"declared twice: {', '.join(twice)}")
        return value
