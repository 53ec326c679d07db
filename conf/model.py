"""The base of every configuration model: frozen, and an unknown key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Declared(BaseModel):
    """A value declared in YAML. Unknown keys are refused, so that a typing error never passes for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
