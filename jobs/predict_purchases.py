"""Predict purchases: what to expect of every customer in the next 90 days, by parameters that are fitted once and kept."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.predictions import PredictionsConfig
from conf.project import Project, fingerprint
from conf.tables.gold import PURCHASE_PREDICTIONS, RFM
from conf.tables.ops import MODEL_PARAMETERS
from conf.tables.silver import ACTIVITY, IDENTITIES
from jobs.runtime.lake import append_rows, fetch, read, read_rows, to_json, version_of
from jobs.runtime.merge import merge
from jobs.runtime.run_log import StageRecord, write_record
from jobs.runtime.stage import EARLIER, EVERYTHING, Changes, Outcome, Run, Stage, only_reads, run_stage
from jobs.score_rfm import profiles_of_activity

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from models.next_purchase import NextPurchase

STAGE, FIT = "predict-purchases", "fit-purchases"
MODEL = "next_purchase"


@dataclass(frozen=True)
class Parameters:
    """One fit, as ``ops.model_parameters`` keeps it."""

    version: str
    values: dict[str, Any]


def predict_purchases(run: Run) -> list[Outcome]:
    """Fits where there are no parameters or somebody asks for new ones, and brings the predictions up to date."""
    config = run.project.predictions
    if config is None:
        return [_nothing("predictions.yml is not declared")]
    held = held_parameters(run)
    fitted = []
    if held is None or run.train:
        too_little = _too_little(run, config)
        if too_little and held is None:
            return [_nothing(too_little)]
        if not too_little:
            fitted.append(_fit_and_record(run, config, "asked for" if run.train else "no parameters"))
            held = held_parameters(run)
    if held is None:
        return fitted
    return [*fitted, run_stage(run, predictions_stage(run.project, held))]


def predictions_stage(project: Project, parameters: Parameters) -> Stage:
    """Its keys are profiles; on a new day, or with new parameters, all of them.

    Habits are of all purchases. ``gold.rfm`` has them, unless a window is declared: then they are read from activity.
    """
    in_rfm = _is_in_rfm(project)
    return Stage(
        name=STAGE,
        reads=(RFM.name,) if in_rfm else (ACTIVITY.name, IDENTITIES.name),
        writes=(PURCHASE_PREDICTIONS.name,),
        fingerprint=lambda project: fingerprint("predictions 1", "rfm" if in_rfm else "activity"),
        keys=(lambda run, feeds: feeds[RFM.name].select("profile_id")) if in_rfm else profiles_of_activity,
        body=partial(_predict, parameters),
        uses_as_of=True,
        extra_inputs=lambda run: {"parameters": parameters.version},
    )


def held_parameters(run: Run) -> Parameters | None:
    """The latest fit; None before the first."""
    rows = [row for row in read_rows(run.session_if_needed(), run.lake, MODEL_PARAMETERS) if row["model"] == MODEL]
    latest = max(rows, key=lambda row: int(row["version"]), default=None)
    return None if latest is None else Parameters(latest["version"], json.loads(latest["parameters"]))


def _is_in_rfm(project: Project) -> bool:
    return project.segments.window_days is None


def _summary(run: Run, changes: Changes) -> DataFrame:
    """What is known of every customer, or of those with these keys, at ``as_of``."""
    from models.next_purchase import purchase_summary, summary_until

    assert run.as_of is not None
    if not _is_in_rfm(run.project):
        return summary_until(_purchase_days(run, changes), run.as_of.date())
    return purchase_summary(changes.of_keys(read(run.spark, run.lake, RFM)), run.as_of)


def _predict(parameters: Parameters, run: Run, changes: Changes) -> dict[str, Any]:
    from models.next_purchase import NextPurchase
    from models.next_purchase import predict_purchases as predict

    assert run.as_of is not None
    spark, lake = run.spark, run.lake
    model = NextPurchase.from_dict(parameters.values)
    rows = predict(_summary(run, changes), model, parameters.version, run.as_of)
    told = [c.name for c in PURCHASE_PREDICTIONS.columns if c.name not in ("profile_id", "holds_since")]
    says_otherwise = "NOT (" + " AND ".join(f"s.`{name}` <=> t.`{name}`" for name in told) + ")"
    merged = merge(
        *(spark, lake, PURCHASE_PREDICTIONS, rows),
        scope=changes.keys,
        scope_keys=("profile_id",),
        update_when=says_otherwise,
        few=changes.few,
    )
    return {"predictions": merged}


def _too_little(run: Run, config: PredictionsConfig) -> str:
    """Why nothing can be fitted now; '' where it can."""
    last = run.log.last_done(FIT)
    if run.as_of is None or version_of(run.session_if_needed(), run.lake, RFM.name) < 1:
        return "nobody has bought yet"
    if only_reads(run, last):
        return EARLIER
    customers = _customers_who_came_back(run)
    needed = config.least_customers
    return f"{customers:,} customers have come back, a fit needs {needed:,}" if customers < needed else ""


def _customers_who_came_back(run: Run) -> int:
    came_back = "purchase_days > 1"
    if run.lake.local_root is not None:
        return int(fetch(None, run.lake, RFM.name, ("purchase_days",), came_back).num_rows)
    return read(run.spark, run.lake, RFM).where(came_back).count()


def _fit_and_record(run: Run, config: PredictionsConfig, why: str) -> Outcome:
    """Keeps a fit; one that does not give a number for everybody is refused, and what was there stays as it is."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    inputs = {RFM.name: version_of(run.session_if_needed(), run.lake, RFM.name)}
    model, facts, is_fit_to_serve = _fit(run, config)
    if not is_fit_to_serve:
        said = "The fit of expected purchases is refused: what it expects is not a number of zero or more for every customer."
        return Outcome(FIT, False, "nothing: the fit is refused", time.monotonic() - clock, {"notes": [said]})
    before = held_parameters(run)
    version = str(int(before.version) + 1) if before else "1"
    row = {
        "model": MODEL,
        "version": version,
        "parameters": to_json(model.to_dict()),
        "facts": to_json(facts),
        "inputs": to_json(inputs),
        "as_of": run.as_of,
        "run_id": run.run_id,
    }
    append_rows(run.spark, run.lake, MODEL_PARAMETERS, [row])
    counts = {"version": version, "parameters": model.to_dict(), **facts, "notes": _notes(facts)}
    seconds = time.monotonic() - clock
    # No inputs: it keeps no place in a change feed that upkeep would have to wait for.
    record = StageRecord(run.run_id, FIT, "done", why, run.as_of, fingerprint(config), {}, {}, counts, started, seconds)
    write_record(run.spark, run.lake, record)
    return Outcome(FIT, True, why, seconds, counts)


def _notes(facts: dict[str, Any]) -> list[str]:
    """What a person should know of a fit."""
    notes = [f"Expected purchases are fitted on {facts['customers']:,} customers."]
    held_out = facts["holdout"]
    if held_out is None:
        return [*notes, "The history is too short to hold days out and see how well that does."]
    off = f"{held_out['error']:.2f} a customer (everybody going on at their rate: {held_out['naive_error']:.2f})"
    came = f"{held_out['came']:,} purchase days came and {held_out['expected']:,.0f} were expected"
    return [*notes, f"In the last 90 days, held out, {came}; the mean error is {off}."]


def _fit(run: Run, config: PredictionsConfig) -> tuple[NextPurchase, dict[str, Any], bool]:
    """The fitted parameters, what there is to know of the fit (customers, independence, and the error on a holdout), and
    whether all that it expects is a number.
    """
    from models.next_purchase import baskets, fit_next_purchase, frequency_and_spend, habits, is_sound, share_of

    share = config.most_customers / max(read(run.spark, run.lake, RFM).count(), 1)
    summary = share_of(_summary(run, EVERYTHING), share)
    of_visits, of_money = habits(summary).toArrow().to_pandas(), baskets(summary).toArrow().to_pandas()
    held_out = _holdout(run, config, share)
    facts = {
        "customers": int(of_visits["customers"].sum()),
        "frequency_and_spend": frequency_and_spend(of_money),
        "holdout": held_out,
    }
    model = fit_next_purchase(of_visits, of_money)
    return model, facts, is_sound(model, of_visits) and (held_out is None or math.isfinite(held_out["error"]))


def _holdout(run: Run, config: PredictionsConfig, share: float) -> dict[str, Any] | None:
    """How a fit on all but the last 90 days does on those; None where too few customers had come back by then."""
    from models.next_purchase import HORIZON_DAYS, habits, holdout_summary, judge_by_holdout, share_of

    assert run.as_of is not None
    until = run.as_of.date()
    end = until - timedelta(days=HORIZON_DAYS)
    found = habits(share_of(holdout_summary(_purchase_days(run, EVERYTHING), end, until), share), "later").toArrow().to_pandas()
    came_back = found.loc[found["repeats"] > 0, "customers"].sum()
    return judge_by_holdout(found) if came_back >= config.least_customers else None


def _purchase_days(run: Run, changes: Changes) -> DataFrame:
    """One row per profile and day with a purchase, by today's identities: profile_id, activity_on, revenue."""
    identities = changes.of_keys(read(run.spark, run.lake, IDENTITIES)).select("identifier_id", "profile_id")
    bought = read(run.spark, run.lake, ACTIVITY).where("purchases > 0").join(identities, "identifier_id", "inner")
    return bought.groupBy("profile_id", "activity_on").agg(F.sum("revenue").alias("revenue"))


def _nothing(why: str) -> Outcome:
    return Outcome(STAGE, False, f"nothing: {why}", 0.0, {})
