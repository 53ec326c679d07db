"""The declared identities: which namespaces there are, what a profile may hold of each, and which values never link."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from conf.matching import MATCH_NAMESPACE, MatchingConfig
from conf.model import Declared
from conf.patterns import why_refused

MAX_VALUE_LENGTH = 1024
"""Characters; a longer value is kept and never links."""

Normalisation = Literal["none", "email", "phone", "card", "lower", "upper"]


class DialPlan(Declared):
    """How a region writes its numbers at home: ``+code`` replaces the ``trunk`` digit in front of the rest."""

    code: str
    trunk: str = ""
    lengths: tuple[int, int]


DIAL_PLANS = {
    "US": DialPlan(code="1", lengths=(10, 10)),
    "CA": DialPlan(code="1", lengths=(10, 10)),
    "GB": DialPlan(code="44", trunk="0", lengths=(9, 10)),
    "DE": DialPlan(code="49", trunk="0", lengths=(7, 11)),
    "FR": DialPlan(code="33", trunk="0", lengths=(9, 9)),
    "NL": DialPlan(code="31", trunk="0", lengths=(9, 9)),
    "ES": DialPlan(code="34", lengths=(9, 9)),
    "AU": DialPlan(code="61", trunk="0", lengths=(9, 9)),
}
"""Region -> how its national numbers read; ``lengths``: the fewest and the most digits without the trunk digit."""


class Namespace(Declared):
    """A kind of identifier. Its place in ``IdentityConfig.namespaces`` is its strength.

    ``max_per_profile``: how many of it one profile may hold (left out: as many as the profile's total allows).
    ``max_linked``: how many other identifiers one of it may be linked to before it is a hub, e.g. a shop's tablet.
    ``expires_after``: links of it not seen for so long are no longer followed (left out: never).
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    kind: Literal["person", "device", "browser"] = "person"
    max_per_profile: int | None = Field(default=None, ge=1)
    max_linked: int = Field(default=1000, ge=1)
    normalise: Normalisation = "none"
    region: str | None = None
    expires_after: str | None = Field(default=None, pattern=r"^[1-9]\d*d$")

    @model_validator(mode="after")
    def _region_belongs_to_phones(self) -> Namespace:
        if self.region is not None and self.normalise != "phone":
            raise ValueError(f"namespace {self.name}: `region` needs `normalise: phone`")
        if self.region is not None and self.region not in DIAL_PLANS:
            raise ValueError(f"namespace {self.name}: region {self.region!r}; expected one of {', '.join(DIAL_PLANS)}")
        return self

    @property
    def dial_plan(self) -> DialPlan | None:
        """The dial plan of the region, where one is declared."""
        return DIAL_PLANS[self.region] if self.region is not None else None

    @property
    def lifetime(self) -> timedelta | None:
        """``expires_after`` as a duration; None: links of this namespace never expire."""
        return timedelta(days=int(self.expires_after[:-1])) if self.expires_after is not None else None


class BlockedValues(Declared):
    """Values that are no identifiers. Both compare without regard to case.

    ``patterns`` are regular expressions that are searched for: anchor them with ``^`` and ``$``. Rows are judged by Spark and
    the value of a question by Python, so they have to mean the same to both.
    """

    values: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @field_validator("patterns")
    @classmethod
    def _patterns_are_read_alike(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            why = why_refused(pattern)
            if why is not None:
                raise ValueError(f"not a regular expression for both Spark and Python: {pattern!r} ({why})")
        return value


class Blocked(BlockedValues):
    """Blocked everywhere, and more of it by namespace."""

    namespaces: dict[str, BlockedValues] = Field(default_factory=dict)


class IdentityConfig(Declared):
    """``conf/identity.yml``."""

    namespaces: tuple[Namespace, ...]
    max_identifiers_per_profile: int = Field(default=50, ge=1)
    blocked: Blocked = Blocked()
    matching: MatchingConfig | None = None

    @field_validator("namespaces")
    @classmethod
    def _unique_names(cls, value: tuple[Namespace, ...]) -> tuple[Namespace, ...]:
        if not value:
            raise ValueError("expected at least one namespace, strongest first")
        names = [namespace.name for namespace in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"declared twice: {', '.join(twice)}")
        return value

    @model_validator(mode="after")
    def _blocked_names_namespaces(self) -> IdentityConfig:
        unknown = sorted(set(self.blocked.namespaces) - set(self.namespace_names))
        if unknown:
            raise ValueError(
                f"`blocked.namespaces` names {', '.join(unknown)}; expected one of {', '.join(self.namespace_names)}"
            )
        return self

    @model_validator(mode="after")
    def _matches_are_the_weakest(self) -> IdentityConfig:
        if self.matching is not None and self.namespace_names[-1] != MATCH_NAMESPACE:
            raise ValueError(
                f"`matching` needs the namespace {MATCH_NAMESPACE} as the last of `namespaces`: a match is trusted less than "
                f"anything that was seen; found {self.namespace_names[-1]}"
            )
        return self

    @property
    def namespace_names(self) -> tuple[str, ...]:
        """Namespace names, strongest first."""
        return tuple(namespace.name for namespace in self.namespaces)

    @property
    def ranks(self) -> dict[str, int]:
        """Namespace -> its rank; 0 is the strongest."""
        return {name: rank for rank, name in enumerate(self.namespace_names)}

    @property
    def expires(self) -> bool:
        """Whether any namespace has a time window, so that the answer depends on ``as_of``."""
        return any(namespace.lifetime is not None for namespace in self.namespaces)

    def namespace(self, name: str) -> Namespace:
        """The namespace called ``name``. Raises ValueError where it is not declared."""
        for namespace in self.namespaces:
            if namespace.name == name:
                return namespace
        raise ValueError(f"namespace {name!r} is not declared; expected one of {', '.join(self.namespace_names)}")

    def blocked_in(self, name: str) -> BlockedValues:
        """What is blocked in one namespace: everywhere, and there."""
        own = self.blocked.namespaces.get(name, BlockedValues())
        return BlockedValues(values=self.blocked.values + own.values, patterns=self.blocked.patterns + own.patterns)
