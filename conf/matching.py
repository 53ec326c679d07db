"""The declared matching: how records without a shared identifier are compared, and from which score on two of them link."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, field_validator, model_validator

from conf.model import Declared

MATCH_NAMESPACE = "match"
"""The namespace of matches: each is an identifier of its own, linked to the two that it says are one person."""

Method = Literal["exact", "name", "text", "code", "date"]

T = TypeVar("T")
RESERVED = ("identifier_id", "namespace", "value", "seen_at", "changed")


def _is_free(name: str) -> str:
    if name.lower() in RESERVED:
        raise ValueError(f"an attribute cannot be matched on under the name {name}: map it under another one")
    return name


def _at_least_one(value: tuple[T, ...]) -> tuple[T, ...]:
    if not value:
        raise ValueError("found []; expected at least one")
    return value


Attribute = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$"), AfterValidator(_is_free)]
Rule = Annotated[tuple[Attribute, ...], AfterValidator(_at_least_one)]
"""Attributes that must all be there and agree exactly."""


class Comparison(Declared):
    """An attribute that is compared, and how.

    ``exact``: equal or not. ``name``: short words, alike by Jaro-Winkler 0.92 and 0.8. ``text``: longer text such as a
    street, alike by 0.9 and 0.7. ``code``: a postcode or number, one typing error apart. ``date``: a date written in one
    way, one or two typing errors apart.
    """

    attribute: Attribute
    method: Method


class Training(Declared):
    """How the model learns what agreement is worth.

    ``certain``: rules that hold for hardly anybody but one and the same person; ``recall`` is the share of all true pairs
    that they find, by your estimate. ``pairs``: how many pairs are drawn (by ``seed``) to learn how often strangers agree.
    A model is trained once, as soon as there are ``at_least`` so many people with records, and kept; a raised ``version``
    trains another on the records of that day.
    """

    certain: Annotated[tuple[Rule, ...], AfterValidator(_at_least_one)]
    recall: float = Field(default=0.7, gt=0, le=1)
    seed: int = 1
    pairs: int = Field(default=1_000_000, ge=1_000)
    at_least: int = Field(default=500, ge=2)
    version: int = Field(default=1, ge=1)


class MatchingConfig(Declared):
    """``matching`` in ``conf/identity.yml``; left out, nothing is matched.

    ``threshold``: the probability from which on a match links. ``block_on``: only pairs for which one of these rules holds
    are compared. ``max_pairs``: how many pairs one run may compare; more ends the stage with an error.
    """

    threshold: float = Field(gt=0, lt=1)
    block_on: Annotated[tuple[Rule, ...], AfterValidator(_at_least_one)]
    compare: tuple[Comparison, ...]
    max_pairs: int = Field(default=20_000_000, ge=1)
    training: Training

    @field_validator("compare")
    @classmethod
    def _two_or_more_each_once(cls, value: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
        if len(value) < 2:
            raise ValueError("expected at least two attributes: one alone tells too little of who somebody is")
        names = [comparison.attribute for comparison in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"compared twice: {', '.join(twice)}")
        return value

    @model_validator(mode="after")
    def _every_comparison_can_be_learnt(self) -> MatchingConfig:
        stuck = [c.attribute for c in self.compare if all(c.attribute in rule for rule in self.block_on)]
        if stuck:
            raise ValueError(
                f"{', '.join(stuck)}: in every rule of `block_on`, so all compared pairs agree on it and nothing can be "
                "learnt of it; add a rule without it"
            )
        return self

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute that is compared or must agree, each once, sorted."""
        ruled = {name for rule in (*self.block_on, *self.training.certain) for name in rule}
        return tuple(sorted(ruled | {comparison.attribute for comparison in self.compare}))
