"""Reads YAML into validated models; every problem is told with file, line, key, what was found and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from conf.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C, where PyYAML was built with it, reads a project's files in a tenth of the time."""


class YamlFile:
    """A parsed YAML file that remembers on which line every key stands."""

    def __init__(self, path: Path, label: str) -> None:
        self.label = label
        self.lines: dict[Location, int] = {(): 1}
        self.problems: list[str] = []
        self.value: Any = None
        self._scalars = yaml.SafeLoader("")
        try:
            text = path.read_text(encoding="utf-8")
            node = yaml.compose(text, Loader=LOADER)
        except FileNotFoundError:
            self.problems.append(f"{label}: the file is missing")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{label}: cannot be read ({error})")
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(f"{label}:{line}: not valid YAML: {error.problem or error.context}")
        except yaml.YAMLError as error:
            self.problems.append(f"{label}: not valid YAML: {error}")
        else:
            self.value = self._construct(node, ()) if node is not None else {}

    def _construct(self, node: yaml.Node, location: Location) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._construct_mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._construct(child, (*location, index)) for index, child in enumerate(node.value)]
        return self._scalars.construct_object(node)  # a scalar: the YAML types

    def _construct_mapping(self, node: yaml.MappingNode, location: Location) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalars.construct_object(key_node)
            line = key_node.start_mark.line + 1
            if not isinstance(key, (str, int)):
                self.problems.append(f"{self.label}:{line}: a key must be text, found {key!r}")
                continue
            if key in result:
                self.problems.append(f"{self.label}:{line}: key `{key}` stands twice")
            inner: Location = (*location, key)
            self.lines[inner] = line
            result[key] = self._construct(value_node, inner)
        return result

    def line_of(self, location: Location) -> int:
        """The line of the nearest key that exists on the way to ``location``."""
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]

    def problem(self, location: Location, text: str) -> str:
        """One problem at ``location``, as the person who edits the file needs it."""
        key = ".".join(str(part) for part in location)
        where = f"{self.label}:{self.line_of(location)}"
        return f"{where}: `{key}`: {text}" if key else f"{where}: {text}"


def read_model(path: Path, model: type[Model], label: str, problems: list[str]) -> Model | None:
    """The model declared in ``path``; None, and every problem appended to ``problems``, where it does not validate."""
    file = YamlFile(path, label)
    if file.problems:
        problems.extend(file.problems)
        return None
    if not isinstance(file.value, dict):
        problems.append(f"{label}:1: expected keys and values, found {_shown(file.value)}")
        return None
    try:
        return model.model_validate(file.value)
    except ValidationError as error:
        problems.extend(_explain(file, detail, model) for detail in error.errors())
        return None


def raise_problems(problems: list[str]) -> None:
    """Ends with every problem at once, where there is one."""
    if problems:
        raise ConfigurationError(problems)


def _explain(file: YamlFile, detail: Any, model: type[BaseModel]) -> str:
    location: Location = tuple(detail["loc"])
    kind, found = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        return file.problem(location, f"unknown key; expected one of {_expected_keys(model, location)}")
    if kind == "missing":
        return file.problem(location, "is missing")
    if kind == "value_error":
        return file.problem(location, str(detail["ctx"]["error"]))
    expected = detail["msg"][:1].lower() + detail["msg"][1:]
    return file.problem(location, f"found {_shown(found)}; {expected}")


def _expected_keys(model: type[BaseModel], location: Location) -> str:
    current: Any = model
    for part in location[:-1]:
        if isinstance(part, int) or current is None:
            continue
        field = getattr(current, "model_fields", {}).get(part)
        current = _inner_model(field.annotation) if field else None
    names = sorted(getattr(current, "model_fields", {})) if current else []
    return ", ".join(names) or "the documented keys"


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
