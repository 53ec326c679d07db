"""Decisions of people, read from a lake of literal rows. No session is to be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.project import Project
from conf.tables.contract import Table
from conf.tables.silver import IDENTITIES, IDENTITY_RULES
from jobs.decide_identities import decision_row, list_decisions
from jobs.decisions import decisions_of, last_decision, waiting_decisions
from jobs.runtime.lake import Lake, append_to_files
from jobs.runtime.run_log import RunLog
from jobs.runtime.stage import Run
from tests.jobs.lookup.few_rows import ANA, BEN, PROJECT, SALT, day, few_rows, identity
from transforms.identity.plain import id_of, read_identifier
from transforms.identity.rules import standing_decisions

NUMBER, NEW_ID, OLD_ID = (
    "555-555-0104",
    *(id_of(PROJECT.identity.namespace("phone"), value, SALT) for value in ("+15555550104", "5555550104")),
)
BEFORE = replace(IDENTITY_RULES, columns=IDENTITY_RULES.columns[:-2])
"""The table as lakes have it that did not keep the values yet."""


def without_region() -> Project:
    """The project as it was before phone numbers got a region."""
    phones = [n.model_copy(update={"region": None}) if n.name == "phone" else n for n in PROJECT.identity.namespaces]
    return replace(PROJECT, identity=PROJECT.identity.model_copy(update={"namespaces": tuple(phones)}))


def run_on(root: Path, project: Project = PROJECT) -> Run:
    def no_session() -> Any:
        raise AssertionError("Spark was started")

    return Run(project, Lake(str(root)), "1", day(12), RunLog(), no_session)


def decide(root: Path, *decisions: tuple[str, str, str], table: Table = IDENTITY_RULES) -> None:
    """Notes decisions of the time when phone numbers had no region yet."""
    project = without_region()
    for hour, (word, *ends) in enumerate(decisions):
        run = replace(run_on(root, project), started_at=day(12, hour))
        one, other = (read_identifier(end, project.identity, SALT) for end in ends)
        row = decision_row(run, word, one, other, "twins", "kim")
        append_to_files(f"{root}/silver/identity_rules", table, [{name: row[name] for name in table.column_names}])


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Ana and Ben are known, and a phone number that is written with its country code since."""
    root = Path(few_rows(tmp_path))
    append_to_files(f"{root}/silver/identities", IDENTITIES, [identity("phone", "+15555550104", BEN, "linked")])
    return root


def test_a_decision_follows_its_identifiers_where_a_normalisation_was_edited(lake: Path) -> None:
    decide(lake, ("unlink", "crm_id:1042", f"phone:{NUMBER}"), ("revoke", "crm_id:1042", "crm_id:2000"))
    run = run_on(lake)
    assert standing_decisions(decisions_of(run)) == ((), (tuple(sorted((ANA, NEW_ID))),))
    assert waiting_decisions(run, standing_decisions(decisions_of(run))[1]) == {}
    found = last_decision(decisions_of(run), NEW_ID, ANA)
    assert found is not None
    assert found["identifier_id"] < found["other_identifier_id"]
    assert [(rule["holds"], rule["because"]) for rule in list_decisions(run)] == [(True, None), (False, "takes back")]
    assert standing_decisions(decisions_of(run_on(lake, without_region()))) == ((), (tuple(sorted((ANA, OLD_ID))),))


def test_a_decision_without_its_values_is_told_not_to_hold_where_an_identifier_is_not_known_any_more(lake: Path) -> None:
    decide(lake, ("unlink", "crm_id:1042", f"phone:{NUMBER}"), ("link", "crm_id:1042", "crm_id:2000"), table=BEFORE)
    run = run_on(lake)
    links, unlinks = standing_decisions(decisions_of(run))
    told = waiting_decisions(run, (*links, *unlinks))
    assert told["decisions_waiting"] == 1
    assert "1 cannot hold: the lake does not know both" in told["notes"][0]
    lost, kept = list_decisions(run)
    assert {lost["one"], lost["other"]} == {"crm_id:***", "phone:not known"}
    assert (lost["holds"], kept["holds"]) == (False, True)
    assert "normalised in another way since" in str(lost["because"])


def test_two_identifiers_that_have_become_one_cannot_be_kept_apart(lake: Path) -> None:
    decide(lake, ("unlink", f"phone:{NUMBER}", "phone:15555550104"))
    (rule,) = list_decisions(run_on(lake))
    assert (rule["holds"], rule["because"]) == (False, "both are one identifier now")


def test_no_value_of_a_decision_is_in_the_log_of_its_table(lake: Path) -> None:
    decide(lake, ("unlink", "crm_id:1042", f"phone:{NUMBER}"))
    text = "".join(path.read_text() for path in (lake / "silver" / "identity_rules" / "_delta_log").glob("*.json"))
    assert [value for value in (NUMBER, "twins", "kim") if value in text] == []
