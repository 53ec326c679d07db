"""Assign segments: every customer's segment by the champion, merged with history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conf.project import fingerprint
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS
from conf.tables.ops import SEGMENT_DRIFT
from conf.tables.silver import IDENTITIES
from jobs.runtime.lake import append_rows, ask, count_rows, ensure_table, read
from jobs.runtime.merge import merge
from jobs.runtime.scratch import HELD_ROWS, compute_once
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from jobs.train_segments import measures_of, staging_folder, tracking_of
from models.registry import CHALLENGER, champion_version, version_behind
from transforms.segment_history import assignment_changes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from models.tracking import Served


def assign_segments(run: Run) -> list[Outcome]:
    """Looks at customers whose numbers changed; at all of them on a new day (recency moves) or under a new champion.

    A champion of other measures than are declared now assigns nobody; what was assigned stays, with a note on what to do.
    """
    if champion_version(tracking_of(run)) is None or run.as_of is None:
        return [Outcome("assign-segments", False, "nothing: there is no champion yet", 0.0, {})]
    return [run_stage(run, assign_stage())]


def assign_stage() -> Stage:
    """Its keys are profiles."""
    return Stage(
        name="assign-segments",
        reads=(RFM.name,),
        writes=(SEGMENT_ASSIGNMENTS.name, RFM_SCORES.name),
        fingerprint=lambda p: fingerprint("assignments 2"),  # all that decides is the champion's own
        keys=lambda run, feeds: feeds[RFM.name].select("profile_id"),
        body=_assign,
        uses_as_of=True,
        # With the measures: what nobody was assigned by meanwhile is made up for, whichever of both changes.
        extra_inputs=lambda run: {"champion": champion_version(tracking_of(run)), "measures": measures_of(run)},
    )


def _assign(run: Run, changes: Changes) -> dict[str, Any]:
    from models.assign import assign_segments as assign
    from models.features import segment_features
    from models.registry import load_champion
    from models.scores import score_customers

    spark, lake = run.spark, run.lake
    champion = load_champion(tracking_of(run), staging_folder(run))
    assert champion is not None
    assert run.as_of is not None
    if dict(champion.definitions) != run.project.segments.definitions:
        return {"notes": _other_measures(run, champion)}
    ensure_table(spark, lake, SEGMENT_ASSIGNMENTS)
    rfm = changes.of_keys(read(spark, lake, RFM))
    held = changes.of_keys(read(spark, lake, SEGMENT_ASSIGNMENTS).where("is_current"))
    features = segment_features(rfm, run.as_of, run.project.segments.window_days)
    assigned = assign(features, champion.model, champion.names)
    moved = assignment_changes(assigned, held, _profiles(run), run.as_of, champion.version)
    # A new day names all customers, however few they are.
    few = changes.few or count_rows(spark, lake, RFM.name) <= HELD_ROWS
    changed, _ = compute_once(spark, lake, "assignments", moved, few)
    counts = {"assignments": merge(spark, lake, SEGMENT_ASSIGNMENTS, changed, delete_missing=False, few=few)}
    scores = score_customers(features, champion.segmentation.scores, champion.version)
    counts["scores"] = merge(spark, lake, RFM_SCORES, scores, scope=changes.keys, scope_keys=RFM_SCORES.keys, few=few)
    return {**counts, **_measure_drift(run, champion)}


def _other_measures(run: Run, champion: Served) -> list[str]:
    """Why nobody is assigned, and who or what can change that."""
    waiting = version_behind(tracking_of(run), CHALLENGER)
    said = f"Nobody was assigned: version {champion.version}, the champion, was trained on other measures than segments.yml has."
    if waiting is None:
        return [said, "`c360 train-segments` trains another one."]
    return [said, f"Version {waiting} waits: `c360 promote-segments` makes it champion."]


def _measure_drift(run: Run, champion: Served) -> dict[str, Any]:
    """Holds all customers of today against those of the training, and says where they have moved too far apart."""
    from models.drift import measure_drift, retrain_reasons
    from models.features import segment_features

    assert run.as_of is not None
    spark, lake, bound = run.spark, run.lake, run.project.segments.drift.psi
    question = "select segment, count(*) as customers from {assignments} where is_current group by segment"
    current = ask(run.session_if_needed(), lake, question, assignments=SEGMENT_ASSIGNMENTS.name).to_pylist()
    features = segment_features(read(spark, lake, RFM), run.as_of, run.project.segments.window_days)
    drift = measure_drift(champion.segmentation.reference, features, {row["segment"]: row["customers"] for row in current})
    of_run = {"run_id": run.run_id, "measured_at": run.as_of, "model_version": champion.version, "bound": bound}
    append_rows(spark, lake, SEGMENT_DRIFT, [{**of_run, "subject": one, "psi": psi} for one, psi in sorted(drift.items())])
    reasons = retrain_reasons(drift, bound)
    said = ["Customers have changed since the model was trained; `c360 train-segments` trains a challenger:", *reasons]
    return {"drift": drift, "notes": said if reasons else []}


def _profiles(run: Run) -> DataFrame:
    return read(run.spark, run.lake, IDENTITIES).select("profile_id").distinct()
