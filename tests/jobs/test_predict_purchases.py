"""One lake over four days: 160 customers, of whom some come back, one merges into another, and a model is fitted anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.predictions import PredictionsConfig
from conf.project import Project, load_project
from conf.tables.contract import Table
from conf.tables.gold import PURCHASE_PREDICTIONS, RFM
from conf.tables.ops import MODEL_PARAMETERS
from conf.tables.silver import ACTIVITY, IDENTITIES
from jobs.predict_purchases import _summary, predict_purchases
from jobs.runtime.lake import Lake, fetch, open_lake, read_rows, version_of
from jobs.runtime.merge import merge
from jobs.runtime.run_log import read_run_log
from jobs.runtime.stage import EARLIER, EVERYTHING, Outcome, Run
from models.bg_nbd import BgNbd
from models.gamma_gamma import GammaGamma
from models.next_purchase import NextPurchase

Days = set[tuple[str, int]]
"""Who bought on which day, counted from the beginning."""


@dataclass
class House:
    """A lake whose RFM the test writes, as the stage before would, and whose predictions the job keeps."""

    spark: SparkSession
    lake: Lake
    bought: Days

    def run(self, day: int, needed: int = 50, session: Any = None, **asked: bool) -> list[Outcome]:
        """``predict-purchases`` as of a day."""
        project = replace(load_project(), predictions=PredictionsConfig(least_customers=needed))
        return predict_purchases(run_of(self.lake, project, session or (lambda: self.spark), as_of=_evening(day), **asked))

    def deliver(self, bought: Days, merged_away: tuple[str, ...] = ()) -> None:
        """More purchases; whoever merged away has none any more."""
        self.bought = {(who, day) for who, day in self.bought | bought if who not in merged_away}
        by_customer = {who: sorted(day for other, day in self.bought if other == who) for who, _ in self.bought}
        self.write(RFM, [_rfm(who, days) for who, days in sorted(by_customer.items())])

    def write(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Makes the table hold these rows."""
        given = [tuple(row.get(name) for name in table.column_names) for row in rows]
        merge(self.spark, self.lake, table, self.spark.createDataFrame(given, table.schema))

    def predictions(self) -> dict[str, dict[str, Any]]:
        """What the table holds, by profile."""
        rows = fetch(None, self.lake, PURCHASE_PREDICTIONS.name, PURCHASE_PREDICTIONS.column_names).to_pylist()
        return {row["profile_id"]: row for row in rows}


def run_of(lake: Lake, project: Project, session: Any, **more: Any) -> Run:
    return Run(project, lake, "a run", _evening(0), read_run_log(None, lake), session, **more)


def _evening(day: int) -> datetime:
    return datetime(2017, 1, 1, 20, tzinfo=timezone.utc) + timedelta(days=day)


def _rfm(who: str, days: list[int]) -> dict[str, Any]:
    number, money = len(days), Decimal(len(days) * (10 + len(who) * 3))
    return {
        "profile_id": who, "first_purchase_at": _evening(days[0]), "last_purchase_at": _evening(days[-1]),
        "purchases": number, "purchase_days": number, "units": Decimal(1), "revenue": money, "frequency": number,
        "monetary": money,
    }  # fmt: skip


def _activity(who: str, day: int) -> dict[str, Any]:
    on = _evening(day).date()
    return {"identifier_id": who, "activity_on": on, "purchases": 1, "revenue": Decimal(10 + len(who) * 3)}


def _identity(who: str) -> dict[str, Any]:
    return {"identifier_id": who, "namespace": "card", "component_id": who, "profile_id": who}


def _habits() -> Days:
    """160 customers over 200 days, from a fixed seed: each with a rate of their own; every third stays away from a day on."""
    dice = np.random.default_rng(20170101)
    found: Days = set()
    for number in range(160):
        first, rate = int(dice.integers(0, 60)), float(dice.gamma(1.0, 0.08)) + 0.005
        last = 200 if number % 3 else int(dice.integers(first, 200))
        coming = {day for day in range(first, last + 1) if dice.random() < rate}
        found |= {(f"c{number}", day) for day in {first, *coming}}
    return found


@pytest.fixture(scope="module")
def house(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> House:
    lake = open_lake(load_project(lake=str(tmp_path_factory.mktemp("predictions") / "lake")).settings)
    house, bought = House(spark, lake, set()), _habits()
    house.write(ACTIVITY, [_activity(who, day) for who, day in sorted(bought)])
    house.write(IDENTITIES, [_identity(who) for who in sorted({who for who, _ in bought})])
    house.deliver(bought)
    return house


@pytest.fixture(scope="module")
def known(house: House) -> list[list[Any]]:
    """What is known of everybody on day 200: without a window from RFM, with one from activity."""
    project = load_project()
    windowed = replace(project, segments=project.segments.model_copy(update={"window": "30d"}))
    runs = [run_of(house.lake, one, lambda: house.spark, as_of=_evening(200)) for one in (project, windowed)]
    return [sorted(tuple(row) for row in _summary(run, EVERYTHING).collect()) for run in runs]


@pytest.fixture(scope="module")
def story(house: House, known: list[list[Any]]) -> dict[str, Any]:
    """What the runs said and the table held, day by day."""
    told: dict[str, Any] = {
        "too few": house.run(200, needed=5000),
        "tables": version_of(None, house.lake, PURCHASE_PREDICTIONS.name),
    }
    told |= {"first": house.run(200), "held": house.predictions()}
    told |= {"again": house.run(200, session=_no_session), "earlier": house.run(150, session=_no_session)}
    house.deliver({("c1", 199)})
    told |= {"one more": house.run(200), "after one more": house.predictions()}
    house.deliver({("c4", 201)}, merged_away=("c2",))
    told |= {"next day": house.run(201), "after next day": house.predictions()}
    before = version_of(None, house.lake, PURCHASE_PREDICTIONS.name)
    told |= {"full refresh": house.run(201, full_refresh=True)}
    told["written by it"] = version_of(None, house.lake, PURCHASE_PREDICTIONS.name) - before
    told |= {"anew": house.run(201, train=True), "after anew": house.predictions()}
    return told


def test_fewer_customers_than_a_fit_needs_are_said_and_nothing_is_written(story: dict[str, Any]) -> None:
    (outcome,) = story["too few"]
    assert not outcome.ran
    assert outcome.why.endswith("customers have come back, a fit needs 5,000")
    assert story["tables"] == -1


def test_the_first_run_fits_and_predicts_everybody(house: House, story: dict[str, Any]) -> None:
    fit, predicted = story["first"]
    assert (fit.stage, fit.why, predicted.why) == ("fit-purchases", "no parameters", "first build")
    assert predicted.counts == {"predictions": {"inserted": 160, "updated": 0, "deleted": 0}}
    assert {row["model_version"] for row in story["held"].values()} == {"1"}
    assert all(0 <= row["probability_alive"] <= 1 and row["expected_value_90d"] >= 0 for row in story["held"].values())


def test_a_fit_is_kept_with_what_it_stood_on_and_how_it_did_on_days_it_had_not_seen(house: House, story: dict[str, Any]) -> None:
    first, second = sorted(read_rows(None, house.lake, MODEL_PARAMETERS), key=lambda row: row["version"])
    assert [(row["model"], row["version"]) for row in (first, second)] == [("next_purchase", "1"), ("next_purchase", "2")]
    counts = story["first"][0].counts
    assert set(counts["parameters"]["purchases"]) == {"r", "alpha", "a", "b"}
    assert counts["customers"] == 160
    assert 0 < counts["holdout"]["error"] < counts["holdout"]["naive_error"]
    assert counts["holdout"]["came"] > 100
    assert counts["notes"][0] == "Expected purchases are fitted on 160 customers."
    assert f"{counts['holdout']['came']:,} purchase days came" in counts["notes"][1]


def test_without_anything_new_or_for_an_earlier_day_no_session_is_made(story: dict[str, Any]) -> None:
    assert [(outcome.ran, outcome.why) for outcome in story["again"]] == [(False, "nothing to do")]
    assert [(outcome.ran, outcome.why) for outcome in story["earlier"]] == [(False, f"nothing: {EARLIER}")]


def test_one_more_purchase_writes_one_row(story: dict[str, Any]) -> None:
    (outcome,) = story["one more"]
    assert outcome.counts == {"keys": 1, "predictions": {"inserted": 0, "updated": 1, "deleted": 0}}
    before, after = story["held"]["c1"], story["after one more"]["c1"]
    assert after["expected_purchases_90d"] > before["expected_purchases_90d"]


def test_a_new_day_writes_who_is_expected_otherwise_and_leaves_the_rest(story: dict[str, Any]) -> None:
    (outcome,) = story["next day"]
    before, after = story["after one more"], story["after next day"]
    differing = {who for who, row in after.items() if _told(row) != _told(before[who])}
    assert outcome.why == "as_of moved"
    assert outcome.counts["predictions"] == {"inserted": 0, "updated": len(differing), "deleted": 1}
    assert 0 < len(differing) < 159
    assert {after[who]["holds_since"] for who in differing} == {date(2017, 7, 21)}
    assert {row["holds_since"] for who, row in after.items() if who not in differing} == {date(2017, 7, 20)}


def test_a_profile_that_merged_away_has_no_prediction(story: dict[str, Any]) -> None:
    assert "c2" in story["after one more"]
    assert "c2" not in story["after next day"]


def test_a_full_refresh_changes_nothing(story: dict[str, Any]) -> None:
    assert [outcome.why for outcome in story["full refresh"]] == ["full refresh"]
    assert story["written by it"] == 0


def test_parameters_fitted_anew_serve_everybody(story: dict[str, Any]) -> None:
    fit, predicted = story["anew"]
    assert (fit.why, predicted.why) == ("asked for", "parameters changed")
    assert {row["model_version"] for row in story["after anew"].values()} == {"2"}


def test_a_fit_that_gives_no_numbers_is_refused_with_a_note_and_what_was_fitted_before_serves(
    house: House, story: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = NextPurchase(BgNbd(*[float("nan")] * 4), GammaGamma(1.0, 1.0, 1.0))
    monkeypatch.setattr("models.next_purchase.fit_next_purchase", lambda *_: nothing)
    refused, predicted = house.run(201, train=True)
    assert (refused.stage, refused.ran, refused.why) == ("fit-purchases", False, "nothing: the fit is refused")
    assert refused.counts["notes"][0].startswith("The fit of expected purchases is refused")
    assert (predicted.ran, predicted.why) == (False, "nothing to do")
    assert len(read_rows(None, house.lake, MODEL_PARAMETERS)) == 2


def test_a_declared_window_does_not_shorten_habits(known: list[list[Any]]) -> None:
    from_rfm, from_activity = known
    assert len(from_rfm) == 160
    assert from_activity == from_rfm


def test_a_project_that_declares_no_predictions_makes_none(house: House) -> None:
    (outcome,) = predict_purchases(run_of(house.lake, replace(load_project(), predictions=None), _no_session))
    assert (outcome.ran, outcome.why) == (False, "nothing: predictions.yml is not declared")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "holds_since"}


def _no_session() -> SparkSession:
    raise AssertionError("Spark was started")
