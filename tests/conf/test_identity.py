from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import conf
from conf.identity import IdentityConfig, Namespace
from conf.reading import read_model

SAMPLE = Path(conf.__file__).parent / "identity.yml"


def problems_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "identity.yml"
    path.write_text(text, encoding="utf-8")
    problems: list[str] = []
    read_model(path, IdentityConfig, "identity.yml", problems)
    return problems


def config_of(*names: str, **more: Any) -> IdentityConfig:
    return IdentityConfig(namespaces=tuple(Namespace(name=name) for name in names), **more)


def test_the_sample_s_configuration_is_valid_and_one_crm_id_is_one_person() -> None:
    problems: list[str] = []
    config = read_model(SAMPLE, IdentityConfig, "identity.yml", problems)
    assert problems == []
    assert config is not None
    assert config.namespace_names == ("crm_id", "loyalty_id", "email", "phone", "device_id", "cookie_id")
    assert config.namespace("crm_id").max_per_profile == 1
    assert config.max_identifiers_per_profile == 50
    assert not config.expires


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("namespaces: []", "identity.yml:1: `namespaces`: expected at least one namespace"),
        ("namespaces: [{name: a}, {name: a}]", "identity.yml:1: `namespaces`: declared twice: a"),
        ("namespaces: [{name: a b}]", "`namespaces.0.name`: found 'a b'"),
        ("namespaces: [{name: a, max_per_profile: 0}]", "`namespaces.0.max_per_profile`: found 0"),
        ("namespaces: [{name: a, expires_after: soon}]", "`namespaces.0.expires_after`: found 'soon'"),
        ("namespaces: [{name: a, normalise: title}]", "`namespaces.0.normalise`: found 'title'"),
        ("namespaces: [{name: a, region: US}]", "namespace a: `region` needs `normalise: phone`"),
        ("namespaces: [{name: a, normalise: phone, region: XX}]", "region 'XX'; expected one of US, CA, GB"),
        ("namespaces: [{name: a, max: 1}]", "`namespaces.0.max`: unknown key"),
        ("namespaces: [{name: a}]\nblocked: {patterns: ['(']}", "identity.yml:2: `blocked.patterns`: not a regular"),
        ("namespaces: [{name: a}]\nblocked:\n  patterns: ['^{{.*}}$']", "identity.yml:3: `blocked.patterns`: not a regular"),
        ("namespaces: [{name: a}]\nblocked: {namespaces: {b: {}}}", "`blocked.namespaces` names b; expected one of a"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    (told,) = problems_of(tmp_path, text)
    assert problem in told


def test_the_order_of_the_namespaces_is_their_strength() -> None:
    assert config_of("crm_id", "email").ranks == {"crm_id": 0, "email": 1}


def test_a_namespace_blocks_what_is_blocked_everywhere_and_what_is_blocked_there() -> None:
    blocked = {"values": ["null"], "namespaces": {"email": {"values": ["a@a"], "patterns": ["^x"]}}}
    config = config_of("crm_id", "email", blocked=blocked)
    assert config.blocked_in("crm_id").values == ("null",)
    assert config.blocked_in("email").values == ("null", "a@a")
    assert config.blocked_in("email").patterns == ("^x",)


def test_a_time_window_is_in_days() -> None:
    config = IdentityConfig(namespaces=(Namespace(name="cookie_id", expires_after="730d"),))
    assert config.namespaces[0].lifetime == timedelta(days=730)
    assert config.expires
