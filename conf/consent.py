"""The declared consents: for which channel and purpose somebody may be approached, and how statements are weighed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from conf.model import Declared

NAME = r"^[a-z][a-z0-9_]*$"


class Consent(Declared):
    """Consent to be approached on a ``channel`` for a ``purpose``, as sources tell it in ``attribute``.

    A value among ``given`` gives it, an empty one says nothing, every other one refuses. What counts is what each source
    told last of each identifier: with ``most_restrictive`` one refusal is enough, with ``latest`` the last word decides.
    ``valid_for``: a consent that was given lapses after so many days; a refusal does not.
    """

    channel: str = Field(pattern=NAME)
    purpose: str = Field(pattern=NAME)
    attribute: str
    policy: Literal["most_restrictive", "latest"] = "most_restrictive"
    given: tuple[str, ...] = Field(default=("true", "yes", "y", "1"), min_length=1)
    valid_for: str | None = Field(default=None, pattern=r"^[1-9]\d{0,4}d$")
    comment: str = ""

    @field_validator("given")
    @classmethod
    def _without_case(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        given = tuple(text.strip().lower() for text in value)
        if "" in given:
            raise ValueError("an empty value says nothing, so it cannot give a consent")
        return given

    @property
    def column(self) -> str:
        """The column of the customer 360."""
        return f"consent_{self.channel}_{self.purpose}"

    @property
    def valid_days(self) -> int | None:
        """``valid_for`` in days; None: a consent never lapses."""
        return int(self.valid_for[:-1]) if self.valid_for is not None else None
