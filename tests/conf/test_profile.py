from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from conf.agreement import disagreements
from conf.profile import ProfileConfig
from conf.source import Source


def profile(*attributes: dict[str, Any]) -> ProfileConfig:
    return ProfileConfig.model_validate({"attributes": list(attributes)})


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ({"policy": "newest"}, "Input should be 'latest', 'earliest', 'source_priority'"),
        ({"policy": ["latest", "longest"]}, r"found \['latest', 'longest'\]; expected one policy"),
        ({"policy": "source_priority"}, "the policy source_priority needs `sources`, best first"),
        ({"policy": "latest", "fall_back": "source_priority"}, "needs `sources`"),
        ({"policy": "longest", "type": "int"}, "the policy longest needs the type string, found int"),
        ({"policy": "sum"}, "the policy sum needs one of the types int, bigint, decimal"),
        ({"policy": "sum", "type": "double"}, "found double"),
        ({"policy": "union", "fall_back": "longest"}, "the policy union leaves nothing to choose"),
        ({"valid_for": "2 years"}, "String should match pattern"),
        ({"empty": "deletes"}, "Input should be 'ignored' or 'erases'"),
    ],
)
def test_an_attribute_that_makes_no_sense_is_refused(attribute: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        profile({"name": "city", **attribute})


def test_an_attribute_has_one_policy() -> None:
    with pytest.raises(ValidationError, match="declared twice: city"):
        profile({"name": "city", "policy": "latest"}, {"name": "city", "policy": "longest"})


def test_lifetimes_are_those_that_are_declared() -> None:
    declared = [{"name": "a", "valid_for": "730d"}, {"name": "b"}, {"name": "c", "valid_for": "30d"}]
    assert profile(*declared).lifetimes == (30, 730)


def source(name: str, size: str, unit: str | None = None) -> Source:
    """A source that maps ``size`` with that expression, in that unit."""
    units = {"size": unit} if unit else {}
    maps = {"observed_at": "cast(at as timestamp)", "size": size}
    declared = {"source": name, "kind": "records", "path": "x/", "format": "csv", "maps": maps, "units": units}
    return Source.model_validate(declared)


CENTIMETRES = source("crm", "cast(size as int)", "cm")


@pytest.mark.parametrize(
    ("attribute", "other", "told"),
    [
        ({"type": "int", "unit": "cm"}, source("web", "cast(size as double)", "cm"), []),
        ({"type": "int", "unit": "cm"}, source("web", "size", "cm"), []),
        ({"type": "int"}, source("web", "size", "cm"), []),
        (
            {"type": "int"},
            source("web", "size", "inch"),
            ["told in different units: cm in crm, inch in web: convert in the mappings"],
        ),
        ({"type": "int"}, source("web", "size"), ["told in different units: cm in crm, no unit in web"]),
        ({"type": "int", "unit": "m"}, source("web", "size", "cm"), ["cm in crm, cm in web, and m in the profile"]),
        ({"unit": "cm"}, source("web", "cast(size as boolean)", "cm"), ["is a whole number in crm, a condition in web: cast it"]),
        (
            {"type": "int", "unit": "cm"},
            source("web", "cast(size as date)", "cm"),
            ["is declared as int, and is a date in the source web", "is a whole number in crm, a date in web"],
        ),
    ],
)
def test_sources_that_disagree_on_type_or_unit_are_named(attribute: dict[str, Any], other: Source, told: list[str]) -> None:
    found = disagreements((CENTIMETRES, other), profile({"name": "size", **attribute}))
    assert len(found) == len(told)
    for problem, part in zip(found, told, strict=True):
        assert problem.startswith("profile.yml: `attributes`: size ")
        assert part in problem


def test_a_unit_of_what_is_not_mapped_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"units: height is not mapped; mapped are observed_at"):
        Source.model_validate({**CENTIMETRES.model_dump(), "units": {"height": "cm"}})
