"""A project: everything declared in one configuration folder, read and held against itself."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from conf.activity import unknown_event_columns
from conf.agreement import disagreements
from conf.errors import ConfigurationError
from conf.identity import IdentityConfig
from conf.matching import MATCH_NAMESPACE
from conf.predictions import PredictionsConfig
from conf.profile import ProfileConfig
from conf.reading import raise_problems, read_model
from conf.segments import MARGIN, SegmentsConfig
from conf.settings import Settings
from conf.source import Source


def default_conf() -> Path:
    """The configuration that comes with the code: its own folder, unpacked first where the code runs from a zip."""
    folder = Path(__file__).parent
    if folder.is_dir():
        return folder
    target = Path(tempfile.mkdtemp(prefix="c360-conf-"))
    with zipfile.ZipFile(folder.parent) as archive:
        archive.extractall(target, [name for name in archive.namelist() if re.fullmatch(r"conf/.*\.yml", name)])
    return target / "conf"


@dataclass(frozen=True)
class Project:
    """One validated configuration folder in one environment. ``sources`` are in the order of their names; ``predictions``
    is None where the folder declares none.
    """

    settings: Settings
    sources: tuple[Source, ...]
    identity: IdentityConfig
    profile: ProfileConfig
    segments: SegmentsConfig
    predictions: PredictionsConfig | None = None

    def source(self, name: str) -> Source:
        """The source called ``name``. Raises ConfigurationError naming the ones there are."""
        for source in self.sources:
            if source.source == name:
                return source
        known = ", ".join(source.source for source in self.sources)
        raise ConfigurationError([f"there is no source {name!r}; declared are {known}"])


def load_project(conf_dir: Path | None = None, env: str = "local", lake: str | None = None) -> Project:
    """Reads and validates ``conf_dir``; ``lake`` replaces the environment's own. Raises ConfigurationError with all problems."""
    problems: list[str] = []
    conf_dir = conf_dir or default_conf()
    if not conf_dir.is_dir():
        raise ConfigurationError([f"{conf_dir}: the configuration folder is missing"])
    settings = read_model(conf_dir / "env" / f"{env}.yml", Settings, f"env/{env}.yml", problems)
    told = len(problems)
    sources = _read_sources(conf_dir, problems)
    all_read = len(problems) == told  # what a source maps that cannot be read is not known
    identity = read_model(conf_dir / "identity.yml", IdentityConfig, "identity.yml", problems)
    profile = read_model(conf_dir / "profile.yml", ProfileConfig, "profile.yml", problems)
    segments = read_model(conf_dir / "segments.yml", SegmentsConfig, "segments.yml", problems)
    predictions = None
    if (conf_dir / "predictions.yml").exists():
        predictions = read_model(conf_dir / "predictions.yml", PredictionsConfig, "predictions.yml", problems)
    if identity is not None:
        problems.extend(_unknown_namespaces(sources, identity))
        problems.extend(_misused_namespaces(sources, identity))
    if profile is not None:
        problems.extend(disagreements(sources, profile))
        problems.extend(_repeated_columns(profile))
    if all_read:
        problems.extend(_unmapped(sources, identity, profile, segments))
    raise_problems(problems)
    assert settings is not None
    assert identity is not None
    assert profile is not None
    assert segments is not None
    if lake is not None:
        settings = settings.model_copy(update={"lake": lake, "catalog": None})
    return Project(settings, sources, identity, profile, segments, predictions)


def fingerprint(*parts: BaseModel | tuple[BaseModel, ...] | str) -> str:
    """A hash of configuration: equal exactly where everything declared is equal."""

    def plain(part: Any) -> Any:
        if isinstance(part, BaseModel):
            return part.model_dump(mode="json")
        return [plain(item) for item in part] if isinstance(part, tuple) else part

    text = json.dumps([plain(part) for part in parts], sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _read_sources(conf_dir: Path, problems: list[str]) -> tuple[Source, ...]:
    paths = sorted((conf_dir / "sources").glob("*.yml"))
    if not paths:
        problems.append("sources/: no source is declared (expected one file each, sources/<source>.yml)")
    sources = []
    for path in paths:
        label = f"sources/{path.name}"
        source = read_model(path, Source, label, problems)
        if source is None:
            continue
        if source.source != path.stem:
            problems.append(f"{label}: `source`: found {source.source!r}; expected the file's own name, {path.stem!r}")
        sources.append(source)
    return tuple(sorted(sources, key=lambda source: source.source))


def _unknown_namespaces(sources: tuple[Source, ...], identity: IdentityConfig) -> list[str]:
    known = [namespace.name for namespace in identity.namespaces]
    return [
        f"sources/{source.source}.yml: `identifiers`: the namespace {identifier.namespace!r} is not declared in "
        f"identity.yml; declared are {', '.join(known)}"
        for source in sources
        for identifier in source.identifiers
        if identifier.namespace not in known
    ]


def _unmapped(
    sources: tuple[Source, ...], identity: IdentityConfig | None, profile: ProfileConfig | None, segments: SegmentsConfig | None
) -> list[str]:
    """What is declared over something that no source maps, or over a source that there is not."""
    problems = []
    if identity is not None and identity.matching is not None:
        mapped = _mapped(sources, "records")
        problems += [
            f"identity.yml: `matching`: no source of kind records maps {name!r}"
            for name in identity.matching.attributes
            if name not in mapped
        ]
    if profile is not None:
        problems += _unknown_attributes(sources, profile)
        problems += unknown_event_columns(profile.activity, _mapped(sources, "events"))
    if segments is not None:
        problems += _unmapped_margin(sources, segments)
    return problems


def _mapped(sources: tuple[Source, ...], kind: str) -> set[str]:
    return {name for source in sources if source.kind == kind for name in source.attribute_names}


def _misused_namespaces(sources: tuple[Source, ...], identity: IdentityConfig) -> list[str]:
    if identity.matching is None:
        return []
    return [
        f"sources/{source.source}.yml: `identifiers`: the namespace {MATCH_NAMESPACE!r} is kept for `matching` in identity.yml"
        for source in sources
        if any(identifier.namespace == MATCH_NAMESPACE for identifier in source.identifiers)
    ]


def _repeated_columns(profile: ProfileConfig) -> list[str]:
    """What a table of profiles or a view has already cannot be the name of an attribute or a measure as well."""
    from conf.tables.measures import activity_measures_table
    from conf.tables.silver import profile_attributes_table
    from conf.tables.views import declared_views

    problems = []
    for make in (profile_attributes_table, activity_measures_table, declared_views):
        try:
            make(profile)
        except ValueError as error:
            problems.append(f"profile.yml: {error}")
    return problems


def _unknown_attributes(sources: tuple[Source, ...], profile: ProfileConfig) -> list[str]:
    mapped = _mapped(sources, "records")
    names = {source.source for source in sources}
    problems = [
        f"profile.yml: `attributes`: no source of kind records maps {attribute.name!r}"
        for attribute in profile.attributes
        if attribute.name not in mapped
    ]
    problems += [
        f"profile.yml: `attributes`: {attribute.name} names the source {source!r}, which is not declared"
        for attribute in profile.attributes
        for source in attribute.sources
        if source not in names
    ]
    told = {name for source in sources for name in source.attribute_names}
    problems += [
        f"profile.yml: `consents`: no source maps {consent.attribute!r}"
        for consent in profile.consents
        if consent.attribute not in told
    ]
    return problems


def _unmapped_margin(sources: tuple[Source, ...], segments: SegmentsConfig) -> list[str]:
    is_mapped = any(source.kind == "events" and MARGIN in source.attribute_names for source in sources)
    if segments.monetary != MARGIN or is_mapped:
        return []
    return [f"segments.yml: `monetary`: no source of kind events maps {MARGIN!r}"]
