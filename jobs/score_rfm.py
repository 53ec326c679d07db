"""Score RFM: each purchasing profile's last purchase, frequency and monetary value."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.project import Project, fingerprint
from conf.segments import MARGIN
from conf.tables.gold import RFM
from conf.tables.silver import ACTIVITY, EVENTS, IDENTITIES
from jobs.runtime.lake import read, union
from jobs.runtime.merge import merge
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from transforms.rfm import days_leaving_window, margin_by_day
from transforms.rfm import score_rfm as score

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def score_rfm(run: Run) -> list[Outcome]:
    """Recomputes the profiles whose activity or identifiers changed, and those of whom a day left the declared window."""
    return [run_stage(run, rfm_stage(run.project))]


def rfm_stage(project: Project) -> Stage:
    """Its keys are profiles."""
    has_window = project.segments.window_days is not None
    of_margin = (EVENTS.name,) if project.segments.monetary == MARGIN else ()
    return Stage(
        name="score-rfm",
        reads=(ACTIVITY.name, IDENTITIES.name, *of_margin),
        writes=(RFM.name,),
        fingerprint=_fingerprint,
        keys=_changed_profiles,
        body=_score,
        uses_as_of=has_window,
        keys_crossing=_profiles_with_a_day_that_left if has_window else None,
    )


def _fingerprint(project: Project) -> str:
    return fingerprint("rfm 2", json.dumps(project.segments.definitions))


def _changed_profiles(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    """Those of activity and identities, and of events whose margin may have changed while nothing else did."""
    others = {name: feed for name, feed in feeds.items() if name != EVENTS.name}
    named = [profiles_of_activity(run, others)] if others else []
    if EVENTS.name in feeds:
        of_events = feeds[EVENTS.name].select(F.col("primary_identifier_id").alias("identifier_id"))
        named.append(profiles_of_activity(run, {ACTIVITY.name: of_events}))
    return union(named)


def _profiles_with_a_day_that_left(run: Run, before: datetime) -> DataFrame:
    assert run.as_of is not None
    left = days_leaving_window(read(run.spark, run.lake, ACTIVITY), run.project.segments, before, run.as_of)
    return profiles_of_activity(run, {ACTIVITY.name: left})


def profiles_of_activity(run: Run, feeds: dict[str, DataFrame]) -> DataFrame:
    """The profiles named by changed rows of activity (through today's identities) and of identities (both images)."""
    frames = []
    if IDENTITIES.name in feeds:
        frames.append(feeds[IDENTITIES.name].select("profile_id"))
    if ACTIVITY.name in feeds:
        changed = feeds[ACTIVITY.name].select("identifier_id").distinct()
        identities = read(run.spark, run.lake, IDENTITIES)
        frames.append(identities.join(F.broadcast(changed), "identifier_id", "left_semi").select("profile_id"))
    return union(frames)


def _score(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake = run.spark, run.lake
    identities = changes.of_keys(read(spark, lake, IDENTITIES))
    return {"rfm": merge(spark, lake, RFM, rfm_of(run, identities), scope=changes.keys, scope_keys=RFM.keys, few=changes.few)}


def rfm_of(run: Run, identities: DataFrame) -> DataFrame:
    """The rows of ``gold.rfm`` for the profiles of these identities, at the run's ``as_of``."""
    segments = run.project.segments
    margins = _margins(run, identities) if segments.monetary == MARGIN else None
    return score(read(run.spark, run.lake, ACTIVITY), identities, segments, run.as_of, margins)


def _margins(run: Run, identities: DataFrame) -> DataFrame:
    scope = identities.select(F.col("identifier_id").alias("primary_identifier_id"))
    events = read(run.spark, run.lake, EVENTS).join(scope, "primary_identifier_id", "left_semi")
    return margin_by_day(events, run.project.segments)
