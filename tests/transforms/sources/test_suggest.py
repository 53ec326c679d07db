from __future__ import annotations

from pathlib import Path

import pytest

from conf.project import load_project
from conf.reading import read_model
from conf.source import Source
from transforms.sources.suggest import suggest, suggestion_text

IDENTITY = load_project().identity
TILL = ["basket_id", "product_id", "qty", "UnitPrice", "Order Date", "card_number", "E-Mail"]
CRM = ["customer_no", "First Name", "last_name", "city", "mobile", "updated_at"]


def test_order_lines_are_events_with_money_from_quantity_and_price() -> None:
    found = suggest(TILL, IDENTITY)
    assert found.kind == "events"
    assert found.maps == {
        "event_type": "'purchase'",
        "occurred_at": "cast(`Order Date` as timestamp)",
        "order_id": "basket_id",
        "product_id": "product_id",
        "quantity": "cast(qty as decimal(18,3))",
        "revenue": "cast(qty as decimal(18,3)) * cast(UnitPrice as decimal(18,3))",
        "unit_price": "UnitPrice",
    }
    assert found.identifiers == (("loyalty_id", "card_number"), ("email", "E-Mail"))


def test_what_describes_somebody_is_a_record() -> None:
    found = suggest(CRM, IDENTITY)
    assert (found.kind, found.maps["observed_at"]) == ("records", "cast(updated_at as timestamp)")
    assert found.maps["first_name"] == "`First Name`"
    assert found.identifiers == (("crm_id", "customer_no"), ("phone", "mobile"))


def test_what_cannot_be_guessed_is_asked() -> None:
    assert suggest(["colour"], IDENTITY).questions == (
        "Which column says when? `occurred_at` is needed, and every row waits in quarantine without it.",
        "Is every row of this event type? A case expression can tell purchases from returns.",
        "Does something name an event? Without `event_id` the whole row does.",
        "Whom is a row about? Without identifiers it is nobody's.",
    )


@pytest.mark.parametrize("columns", [TILL, CRM, ["colour"], ["1st", "a b", 'say "hi"', "ts", "x,y", "email", "email2"]])
def test_every_suggestion_is_a_source_that_the_suite_accepts(tmp_path: Path, columns: list[str]) -> None:
    (tmp_path / "feed.yml").write_text(suggestion_text(suggest(columns, IDENTITY), "feed", "csv", {"header": True, "sep": ";"}))
    problems: list[str] = []
    source = read_model(tmp_path / "feed.yml", Source, "feed.yml", problems)
    assert problems == []
    assert source is not None
    assert source.options == {"header": True, "sep": ";"}
