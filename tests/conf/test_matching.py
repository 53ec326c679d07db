from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.errors import ConfigurationError
from conf.project import default_conf, load_project

MATCHING: dict[str, Any] = {
    "threshold": 0.95,
    "block_on": [["last_name", "postcode"], ["first_name", "city"]],
    "compare": [{"attribute": "first_name", "method": "name"}, {"attribute": "last_name", "method": "name"}],
    "training": {"certain": [["first_name", "last_name", "postcode"]]},
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the shipped configuration, with matching declared."""
    shutil.copytree(default_conf(), tmp_path, ignore=shutil.ignore_patterns("*.py", "__pycache__", "tables"), dirs_exist_ok=True)
    declare(tmp_path)
    return tmp_path


def declare(conf: Path, namespaces: tuple[str, ...] = ("match",), **changes: Any) -> None:
    """Writes the shipped rules with more namespaces at the end, and matching with some keys changed."""
    identity = yaml.safe_load((default_conf() / "identity.yml").read_text(encoding="utf-8"))
    identity["namespaces"] += [{"name": name} for name in namespaces]
    (conf / "identity.yml").write_text(yaml.safe_dump({**identity, "matching": {**MATCHING, **changes}}), encoding="utf-8")


def problems_of(conf: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load_project(conf)
    return raised.value.problems


def test_the_sample_matches_nothing() -> None:
    assert load_project().identity.matching is None


def test_all_attributes_that_matching_needs_are_known(conf: Path) -> None:
    matching = load_project(conf).identity.matching
    assert matching is not None
    assert matching.attributes == ("city", "first_name", "last_name", "postcode")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"threshold": 1.0}, "`matching.threshold`: found 1.0; input should be less than 1"),
        (
            {"treshold": 0.9},
            "`matching.treshold`: unknown key; expected one of block_on, compare, max_pairs, threshold, training",
        ),
        ({"compare": MATCHING["compare"][:1]}, "`matching.compare`: expected at least two attributes"),
        ({"compare": [*MATCHING["compare"], MATCHING["compare"][0]]}, "`matching.compare`: compared twice: first_name"),
        ({"block_on": [["last_name"]]}, "`matching`: last_name: in every rule of `block_on`"),
        ({"block_on": []}, "`matching.block_on`: found []"),
        ({"training": {"certain": []}}, "`matching.training.certain`: found []"),
        ({"block_on": [["value"], ["city"]]}, "an attribute cannot be matched on under the name value"),
        (
            {"compare": [{"attribute": "city", "method": "sound"}, MATCHING["compare"][0]]},
            "`matching.compare.0.method`: found 'sound'",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(conf: Path, changes: dict[str, Any], told: str) -> None:
    declare(conf, **changes)
    (problem,) = problems_of(conf)
    assert problem.startswith("identity.yml:")
    assert told in problem


@pytest.mark.parametrize("namespaces", [(), ("match", "fax")])
def test_a_match_is_the_weakest_evidence(conf: Path, namespaces: tuple[str, ...]) -> None:
    declare(conf, namespaces)
    (problem,) = problems_of(conf)
    assert "`matching` needs the namespace match as the last of `namespaces`" in problem


def test_only_attributes_of_records_are_matched_on(conf: Path) -> None:
    declare(conf, compare=[{"attribute": "first_name", "method": "name"}, {"attribute": "birthday", "method": "date"}])
    assert problems_of(conf) == ["identity.yml: `matching`: no source of kind records maps 'birthday'"]


def test_no_source_delivers_matches(conf: Path) -> None:
    path = conf / "sources" / "crm.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("{namespace: phone", "{namespace: match", 1), encoding="utf-8")
    assert problems_of(conf) == ["sources/crm.yml: `identifiers`: the namespace 'match' is kept for `matching` in identity.yml"]
