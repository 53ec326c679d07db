"""Score RFM: each purchasing profile's last purchase, frequency and monetary value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project, fingerprint
from conf.tables.gold import RFM
from conf.tables.silver import ACTIVITY, IDENTITIES
from jobs.runtime.lake import merge, read, union
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from transforms.rfm import score_rfm as score

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def score_rfm(run: Run) -> list[Outcome]:
    """Recomputes the profiles whose activity or identifiers changed."""
    return [run_stage(run, rfm_stage())]


def rfm_stage() -> Stage:
    """Its keys are profiles."""
    return Stage(
        name="score-rfm",
        reads=(ACTIVITY.name, IDENTITIES.name),
        writes=(RFM.name,),
        fingerprint=_fingerprint,
        keys=profiles_of_activity,
        body=_score,
    )


def _fingerprint(project: Project) -> str:
    return fingerprint(project.segments.frequency, project.segments.monetary)


def profiles_of_activity(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    """The profiles named by changed rows of activity (through today's identities) and of identities (both images)."""
    frames = []
    if IDENTITIES.name in feeds:
        frames.append(feeds[IDENTITIES.name].select("profile_id"))
    if ACTIVITY.name in feeds:
        changed = feeds[ACTIVITY.name].select("identifier_id").distinct()
        identities = read(run.spark, run.lake, IDENTITIES)
        frames.append(identities.join(F.broadcast(changed), "identifier_id", "left_semi").select("profile_id"))
    return union(frames).distinct()


def _score(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake = run.spark, run.lake
    identities = read(spark, lake, IDENTITIES)
    if changes.keys is not None:
        identities = identities.join(F.broadcast(changes.keys), "profile_id", "left_semi")
    rows = score(read(spark, lake, ACTIVITY), identities, run.project.segments)
    return {"rfm": merge(spark, lake, RFM, rows, scope=changes.keys, scope_keys=RFM.keys)}
