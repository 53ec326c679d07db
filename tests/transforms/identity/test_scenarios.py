"""Rules tried on text: what the lines mean, and that the stage's own code decides."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from conf.errors import BadInputError
from conf.identity import IdentityConfig
from tests.transforms.identity.scenario import config_of
from transforms.identity.scenarios import ScenarioOutcome, Severed, events_of, outcomes_of, read_scenarios, solved_scenarios

CONFIG = config_of(email={"normalise": "email"}, blocked={"values": ["null"]})


def outcomes(spark: SparkSession, text: str, config: IdentityConfig = CONFIG) -> list[ScenarioOutcome]:
    scenarios = read_scenarios(text, config)
    events = events_of(spark, scenarios, config).collect()
    return outcomes_of(events, solved_scenarios(spark, scenarios, config).collect(), len(scenarios), config)


def test_scenarios_are_parted_by_dashes_and_comments_are_left_out() -> None:
    text = "# a tablet\ncrm_id: Tom, cookie_id: 1:1\n\n---\n---\nemail: t\n---\n"
    assert read_scenarios(text, CONFIG) == [[[("crm_id", "Tom"), ("cookie_id", "1:1")]], [], [[("email", "t")]]]


def test_every_line_that_does_not_read_is_named() -> None:
    with pytest.raises(BadInputError) as error:
        read_scenarios("crm_id: Tom\nTom\nfax: 1, email: t", CONFIG)
    assert "line 2: found 'Tom'; expected namespace: value" in str(error.value)
    assert "line 3: namespace 'fax' is not declared; expected one of crm_id, loyalty_id" in str(error.value)


def test_scenarios_are_solved_apart_by_the_rules_of_the_stage(spark: SparkSession) -> None:
    tablet = "crm_id: Tom, email: Tom@X.com, email: null\ncrm_id: Tom, cookie_id: 1\ncrm_id: Summer, cookie_id: 1"
    alone = "email: a, email: b\ncookie_id: 1"
    assert outcomes(spark, f"{tablet}\n---\n{alone}\n---\n---\n") == [
        ScenarioOutcome(
            (("crm_id:Summer", "cookie_id:1"), ("crm_id:Tom", "email:tom@x.com")),
            (
                Severed(("crm_id:Tom", "cookie_id:1"), "limit:crm_id"),
                Severed(("crm_id:Tom", "email:null"), "blocked_value"),
            ),
        ),
        ScenarioOutcome((("email:a", "email:b"), ("cookie_id:1",)), ()),
        ScenarioOutcome((), ()),
    ]


AS_WRITTEN = {
    "two e-mails in different case are one": ("crm_id: 1, email: Ana@X.com\nemail: ANA@x.COM, cookie_id: 9", 1),
    "blanks around a value are no part of it": ("crm_id: 1, email:  ana@x.com \nemail: ana@x.com, cookie_id: 9", 1),
    "a placeholder e-mail joins nobody": ("crm_id: 1, email: null\ncrm_id: 2, email: NULL\ncookie_id: 9, email: null", 3),
    "an identifier without a value is none": ("crm_id: 1, email:\ncookie_id: 9, email:", 2),
    "an event of placeholders alone is nobody's": ("email: null\nemail: null, phone:", 0),
    "a value of more than 1,024 characters is kept and joins nobody": (
        f"crm_id: 1, email: {'x' * 1025}\ncrm_id: 2, email: {'x' * 1025}\ncookie_id: 9, email: {'x' * 1024}",
        3,
    ),
    "a link to itself is no link": ("email: a@x, email: A@X", 1),
}


def test_who_is_who_as_it_was_written(spark: SparkSession) -> None:
    config = config_of(email={"normalise": "email"}, blocked={"values": ["", "null"]})
    found = outcomes(spark, "\n---\n".join(text for text, _ in AS_WRITTEN.values()), config)
    profiles = {story: len(outcome.profiles) for story, outcome in zip(AS_WRITTEN, found, strict=True)}
    assert profiles == {story: expected for story, (_, expected) in AS_WRITTEN.items()}


def test_later_lines_are_later(spark: SparkSession) -> None:
    back = "crm_id: Tom, cookie_id: 1\ncrm_id: Summer, cookie_id: 1\ncrm_id: Tom, cookie_id: 1"
    (outcome,) = outcomes(spark, back)
    assert outcome.severed == (Severed(("crm_id:Summer", "cookie_id:1"), "limit:crm_id"),)
