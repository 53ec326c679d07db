from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conf.errors import ConfigurationError
from conf.project import default_conf, fingerprint, load_project


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the shipped configuration, for a test to edit."""
    for path in default_conf().rglob("*.yml"):
        target = tmp_path / path.relative_to(default_conf())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def problems_of(conf: Path, env: str = "local") -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load_project(conf, env)
    return raised.value.problems


@pytest.mark.parametrize("env", sorted(path.stem for path in (default_conf() / "env").glob("*.yml")))
def test_the_shipped_configuration_loads_in_every_environment(env: str) -> None:
    project = load_project(env=env)
    assert [source.source for source in project.sources] == ["calls", "crm", "digital", "pos", "redemptions"]


def test_a_namespace_that_is_not_declared_is_told(conf: Path) -> None:
    edit(conf / "sources" / "pos.yml", "{namespace: loyalty_id", "{namespace: loyalty")
    (problem,) = problems_of(conf)
    assert problem.startswith("sources/pos.yml: `identifiers`: the namespace 'loyalty' is not declared in identity.yml;")
    assert problem.endswith("declared are crm_id, loyalty_id, email, phone, device_id, cookie_id")


def test_an_expression_that_cannot_work_is_told_with_file_line_and_key(conf: Path) -> None:
    edit(conf / "sources" / "pos.yml", "store: store_id", "store: coalesce(store_id, 0)")
    line = 1 + (conf / "sources" / "pos.yml").read_text().splitlines().index("  store: coalesce(store_id, 0)")
    (problem,) = problems_of(conf)
    assert problem == (
        f"sources/pos.yml:{line}: `maps.store`: COALESCE(store_id, 0) mixes text and a whole number: cast the text first, "
        "e.g. cast(store_id as decimal(18,2)) in 'coalesce(store_id, 0)'"
    )


def test_a_source_is_named_as_its_file(conf: Path) -> None:
    (conf / "sources" / "pos.yml").rename(conf / "sources" / "tills.yml")
    assert problems_of(conf) == ["sources/tills.yml: `source`: found 'pos'; expected the file's own name, 'tills'"]


def test_an_attribute_that_nobody_maps_is_told(conf: Path) -> None:
    edit(conf / "profile.yml", "name: city", "name: town")
    assert problems_of(conf) == ["profile.yml: `attributes`: no source of kind records maps 'town'"]


def test_a_policy_that_names_an_undeclared_source_is_told(conf: Path) -> None:
    edit(conf / "profile.yml", "name: city, policy: latest", "name: city, policy: source_priority, sources: [crm, erp]")
    assert problems_of(conf) == ["profile.yml: `attributes`: city names the source 'erp', which is not declared"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none") == [f"{tmp_path / 'none'}: the configuration folder is missing"]


def test_an_empty_folder_lacks_every_file(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == [
        "env/local.yml: the file is missing",
        "sources/: no source is declared (expected one file each, sources/<source>.yml)",
        "identity.yml: the file is missing",
        "profile.yml: the file is missing",
        "segments.yml: the file is missing",
    ]


def test_what_a_broken_source_would_map_is_not_missed_as_well(conf: Path) -> None:
    edit(conf / "profile.yml", "name: city", "name: town")
    edit(conf / "sources" / "pos.yml", "kind: events", "kind: happenings")
    (problem,) = problems_of(conf)
    assert problem.startswith("sources/pos.yml:")


def test_problems_of_all_files_are_told_at_once(conf: Path) -> None:
    edit(conf / "sources" / "pos.yml", "kind: events", "kind: happenings")
    edit(conf / "sources" / "crm.yml", "{namespace: phone", "{namespace: fax")
    edit(conf / "segments.yml", "monetary: sum", "monetary: median")
    files = [problem.split(":")[0] for problem in problems_of(conf)]
    assert files == ["sources/pos.yml", "segments.yml", "sources/crm.yml"]


def test_a_source_that_is_not_declared_lists_the_ones_there_are() -> None:
    with pytest.raises(ConfigurationError, match="there is no source 'erp'; declared are calls, crm"):
        load_project().source("erp")


def test_fingerprints_are_equal_exactly_where_what_is_declared_is(conf: Path) -> None:
    shipped = load_project().source("pos")
    assert fingerprint(load_project(conf).source("pos")) == fingerprint(shipped)
    edit(conf / "sources" / "pos.yml", "store: store_id", "store: upper(store_id)")
    assert fingerprint(load_project(conf).source("pos")) != fingerprint(shipped)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: city", "name: email", "profile.yml:{line}: `attributes`: declared twice: email"),
        ("name: city", "name: segment", "profile.yml: gold.customer_360: a column is declared twice: segment"),
        ("name: city", "name: provenance", "profile.yml: silver.profile_attributes: a column is declared twice: provenance"),
        ("name: city", "name: tenure_days", "profile.yml: gold.customers: a column is declared twice: tenure_days"),
        ("name: orders,", "name: revenue, windows: [all],", "key `windows` stands twice"),
        ("of: hour(occurred_at)", "of: hour(bought_at)", "profile.yml: `activity`: preferred_hour names bought_at; expected"),
        ("attribute: marketing_consent", "attribute: consent", "profile.yml: `consents`: no source maps 'consent'"),
        ("policy: most_restrictive", "policy: strict", "input should be 'most_restrictive' or 'latest'"),
    ],
)
def test_a_profile_that_does_not_fit_is_told(conf: Path, old: str, new: str, told: str) -> None:
    edit(conf / "profile.yml", old, new)
    problems = problems_of(conf)
    assert any(told.rsplit("{line}", maxsplit=1)[-1] in problem for problem in problems), problems


def test_sources_that_disagree_on_a_unit_are_told_by_name(conf: Path) -> None:
    edit(conf / "profile.yml", "name: city,", "name: city, unit: letters,")
    (problem,) = problems_of(conf)
    assert "city is told in different units: no unit in crm, and letters in the profile" in problem
