"""Whether the sources that tell of one attribute speak of the same thing: its type, and its unit."""

from __future__ import annotations

from conf.expressions import parse_expression
from conf.kinds import castable, spoken
from conf.profile import KINDS_OF_TYPES, Attribute, ProfileConfig
from conf.source import Source


def disagreements(sources: tuple[Source, ...], profile: ProfileConfig) -> list[str]:
    """A problem for each attribute on whose type or unit sources disagree with each other or with the profile, naming them."""
    problems: list[str] = []
    for attribute in profile.attributes:
        tellers = [s for s in sources if s.kind == "records" and attribute.name in s.attribute_names]
        problems += _of_type(attribute, tellers) + _of_unit(attribute, tellers)
    return problems


def _of_type(attribute: Attribute, tellers: list[Source]) -> list[str]:
    """Text may hold any type, and numbers are one type; anything else is what its expression makes of it."""
    where = f"profile.yml: `attributes`: {attribute.name}"
    kinds = {source.source: parse_expression(source.maps[attribute.name]).kind for source in tellers}
    wanted = KINDS_OF_TYPES[attribute.type]
    problems = [
        f"{where} is declared as {attribute.type}, and is {spoken(kind)} in the source {name}"
        for name, kind in kinds.items()
        if not castable(kind, wanted)
    ]
    certain = {name: _group(kind) for name, kind in kinds.items() if kind not in ("text", "null")}
    if len(set(certain.values())) > 1:
        told = ", ".join(f"{spoken(kinds[name])} in {name}" for name in certain)
        problems.append(f"{where} is {told}: cast it to one type in all of them")
    return problems


def _group(kind: str) -> str:
    return "number" if kind in ("int", "bigint", "number") else kind


def _of_unit(attribute: Attribute, tellers: list[Source]) -> list[str]:
    units = {source.source: source.units.get(attribute.name) for source in tellers}
    if attribute.unit is None and not any(units.values()):
        return []
    wanted = {attribute.unit} if attribute.unit else set()
    if len({*wanted, *units.values()}) == 1:
        return []
    told = ", ".join(f"{unit or 'no unit'} in {name}" for name, unit in units.items())
    declared = f", and {attribute.unit} in the profile" if attribute.unit else ""
    what = f"profile.yml: `attributes`: {attribute.name} is told in different units: {told}{declared}"
    return [f"{what}: convert in the mappings, and say so under `units`"]
