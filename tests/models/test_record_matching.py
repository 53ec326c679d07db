"""What is learnt of pairs, and what two records score: on 200 people, some of whom stand there twice."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conf.errors import ConfigurationError, StageError
from conf.matching import MatchingConfig
from models.record_matching import MatchModel, check_installed, score_pairs, train_model

CONFIG = MatchingConfig.model_validate(
    {
        "threshold": 0.9,
        "block_on": [["last_name", "city"], ["first_name", "born"]],
        "compare": [
            {"attribute": "first_name", "method": "name"},
            {"attribute": "last_name", "method": "name"},
            {"attribute": "born", "method": "date"},
            {"attribute": "city", "method": "exact"},
        ],
        "training": {"certain": [["first_name", "last_name", "born"]], "at_least": 200},
    }
)
FIRST = ("ana", "maria", "tom", "john", "petra", "ines", "hugo", "karl", "lena", "olga", "emil", "nora")
LAST = ("silva", "smith", "meier", "costa", "novak", "jensen", "rossi", "weber", "dubois", "kovacs", "lopez", "brown")


def people(number: int = 200) -> list[dict[str, Any]]:
    """People with names that many share; every fourth stands there a second time, with a typing error in the name."""
    dice = random.Random(7)
    rows = []
    for index in range(number):
        born = f"{dice.randint(1930, 2005)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
        row = {"first_name": dice.choice(FIRST), "last_name": dice.choice(LAST), "born": born, "city": dice.choice("abcdefgh")}
        rows.append({"identifier_id": f"p{index:03}", **row})
        if index % 4 == 0:
            twin = {**row, "first_name": row["first_name"][:-1]} if index % 8 else row
            rows.append({"identifier_id": f"q{index:03}", **twin})
    return rows


PEOPLE = people()


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in PEOPLE[0]]))


@pytest.fixture(scope="module")
def model() -> MatchModel:
    trained = train_model(table(PEOPLE), CONFIG)
    assert isinstance(trained, MatchModel)
    return trained


def scored(rows: list[dict[str, Any]], model: MatchModel, config: MatchingConfig = CONFIG) -> dict[tuple[str, str], float]:
    pairs = score_pairs(table(rows), model, config).to_pylist()
    return {(pair["identifier_id"], pair["other_identifier_id"]): pair["score"] for pair in pairs}


def test_people_who_stand_there_twice_are_found(model: MatchModel) -> None:
    twins = {(f"p{index:03}", f"q{index:03}") for index in range(0, 200, 4)}
    found = set(scored(PEOPLE, model))
    assert len(found & twins) >= 45
    assert len(found - twins) <= 5


def test_the_same_people_in_another_order_give_the_same_model(model: MatchModel) -> None:
    assert train_model(table(PEOPLE[::-1]), CONFIG) == model


def test_a_model_holds_no_value_of_a_record(model: MatchModel) -> None:
    assert [value for row in PEOPLE for value in (row["last_name"], row["born"]) if value in model.settings] == []


def test_evidence_says_which_attributes_speak_for_a_match_and_which_against(model: MatchModel) -> None:
    one = {"first_name": "ana", "last_name": "silva", "born": "1980-02-03", "city": "a"}
    rows = [{"identifier_id": "1", **one}, {"identifier_id": "2", **one, "city": "b"}]
    (pair,) = score_pairs(table(rows), model, CONFIG.model_copy(update={"threshold": 1e-6})).to_pylist()
    weights = {part["attribute"]: part["weight"] for part in pair["evidence"]}
    assert list(weights) == ["first_name", "last_name", "born", "city"]
    assert weights["born"] > 0 > weights["city"]


def test_an_absent_value_speaks_neither_for_nor_against(model: MatchModel) -> None:
    one = {"first_name": "ana", "last_name": "silva", "born": "1980-02-03", "city": "a"}
    rows = [{"identifier_id": "1", **one}, {"identifier_id": "2", **one, "city": None}]
    (pair,) = score_pairs(table(rows), model, CONFIG).to_pylist()
    assert {part["attribute"]: part["weight"] for part in pair["evidence"]}["city"] == 0


def test_a_higher_threshold_keeps_the_scores_of_what_is_left(model: MatchModel) -> None:
    all_pairs = scored(PEOPLE, model)
    middle = sorted(all_pairs.values())[len(all_pairs) // 2]
    strict = scored(PEOPLE, model, CONFIG.model_copy(update={"threshold": middle}))
    assert strict == {pair: score for pair, score in all_pairs.items() if score >= middle}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.sets(st.sampled_from([row["identifier_id"] for row in PEOPLE]), min_size=1, max_size=20))
def test_scoring_the_pairs_of_changed_people_gives_what_scoring_all_gives(model: MatchModel, changed: set[str]) -> None:
    marks = pa.array([row["identifier_id"] in changed for row in PEOPLE])
    some = score_pairs(table(PEOPLE).append_column("changed", marks), model, CONFIG).to_pylist()
    every = score_pairs(table(PEOPLE), model, CONFIG).to_pylist()
    assert some == [pair for pair in every if changed & {pair["identifier_id"], pair["other_identifier_id"]}]


@pytest.mark.parametrize("number", [0, 1])
def test_nobody_is_matched_with_nobody(model: MatchModel, number: int) -> None:
    columns = score_pairs(table(PEOPLE), model, CONFIG).schema
    assert score_pairs(table(PEOPLE[:number]), model, CONFIG) == columns.empty_table()


def test_training_waits_for_enough_people() -> None:
    assert train_model(table(PEOPLE[:150]), CONFIG) == "150 of the 200 people that training waits for"


def test_training_waits_for_two_records_that_are_certainly_one_person() -> None:
    strangers = [{**row, "born": f"{index}"} for index, row in enumerate(PEOPLE)]
    assert train_model(table(strangers), CONFIG) == "no two records agree by a rule of `certain`"


def test_more_pairs_than_are_allowed_are_refused_and_the_rules_that_bring_them_are_named(model: MatchModel) -> None:
    with pytest.raises(
        StageError, match=r"`matching.max_pairs` in identity.yml allows 10\. By rule of `block_on`: \[last_name, city\]: "
    ):
        score_pairs(table(PEOPLE), model, CONFIG.model_copy(update={"max_pairs": 10}))


def test_missing_packages_are_told_only_where_matching_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.record_matching.find_spec", lambda name: None)
    check_installed(None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lakehouse-c360\[matching\]'"):
        check_installed(CONFIG)
