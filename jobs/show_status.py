"""What the lake holds: tables with versions and rows, last runs, drift, quarantine and severed links by reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

from conf.tables.consents import CONSENTS
from conf.tables.gold import PURCHASE_PREDICTIONS, RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.measures import activity_measures_table
from conf.tables.ops import SEGMENT_DRIFT
from conf.tables.silver import (
    ACTIVITY,
    EVENTS,
    IDENTITIES,
    IDENTITY_CHANGES,
    IDENTITY_LINKS,
    IDENTITY_RULES,
    QUARANTINE,
    RECORD_MATCHES,
    RECORDS,
    profile_attributes_table,
)
from jobs.runtime.lake import count_rows, fetch, read_rows, version_of
from jobs.runtime.stage import Run
from jobs.runtime.text_table import text_table


def lake_status(run: Run) -> dict[str, Any]:
    """Tables (name, version, rows), stages (last finished run), drift (subject, model, psi, bound, whether to retrain),
    quarantine (source, reason, rows), links not followed.
    """
    spark = run.session_if_needed()
    tables = []
    for name in _table_names(run):
        version = version_of(spark, run.lake, name)
        rows = count_rows(spark, run.lake, name) if version >= 0 else None
        tables.append({"table": name, "version": version if version >= 0 else None, "rows": rows})
    stages = [
        {
            "stage": r.stage,
            "run_id": r.run_id,
            "why": r.why,
            "started": f"{r.started_at:%Y-%m-%d %H:%M}",
            "seconds": r.seconds,
        }
        for r in sorted(run.log.last.values(), key=lambda record: record.started_at)
    ]
    return {
        "lake": run.lake.root or run.lake.catalog,
        "tables": tables,
        "stages": stages,
        "drift": _drift(run),
        "quarantine": _quarantine(run),
        "not linked": _not_linked(run),
    }


def _drift(run: Run) -> list[dict[str, Any]]:
    """How far customers are from those that the champion was trained on, as the last run that assigned measured it."""
    rows = read_rows(run.session_if_needed(), run.lake, SEGMENT_DRIFT)
    record = run.log.last_done("assign-segments")
    at = None if record is None else record.as_of
    of_day = [row for row in rows if row["measured_at"] == at] or rows  # a full refresh may have gone back to that day
    last = max(of_day, key=lambda row: (row["measured_at"], row["run_id"]), default={"run_id": None})["run_id"]
    of_last = sorted((row for row in rows if row["run_id"] == last), key=lambda row: -row["psi"])
    return [
        {
            "subject": row["subject"],
            "model": row["model_version"],
            "psi": round(row["psi"], 3),
            "bound": row["bound"],
            "retrain": "yes" if row["psi"] > row["bound"] else "",
        }
        for row in of_last
    ]


def _table_names(run: Run) -> list[str]:
    silver = [
        t.name for t in (RECORDS, EVENTS, QUARANTINE, IDENTITY_LINKS, IDENTITIES, IDENTITY_RULES, IDENTITY_CHANGES, ACTIVITY)
    ]
    profile = run.project.profile
    gold = [RFM.name, RFM_SCORES.name, SEGMENT_ASSIGNMENTS.name, customer_360_table(profile).name, PURCHASE_PREDICTIONS.name]
    return [
        *(f"bronze.{s.source}" for s in run.project.sources),
        *silver,
        *([RECORD_MATCHES.name] if run.project.identity.matching else []),
        *([activity_measures_table(profile).name] if profile.event_measures else []),
        profile_attributes_table(profile).name,
        *([CONSENTS.name] if profile.consents else []),
        *gold,
    ]


def _quarantine(run: Run) -> list[dict[str, Any]]:
    rows = fetch(run.session_if_needed(), run.lake, QUARANTINE.name, ("source", "reasons")).to_pylist()
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        for reason in row["reasons"]:
            counts[row["source"], reason] = counts.get((row["source"], reason), 0) + 1
    return [{"source": s, "reason": r, "rows": n} for (s, r), n in sorted(counts.items())]


def _not_linked(run: Run) -> list[dict[str, Any]]:
    """How many links are not followed, by reason; placeholders among them."""
    rows = fetch(run.session_if_needed(), run.lake, IDENTITY_LINKS.name, ("severed",), "severed IS NOT NULL")
    return [{"reason": reason, "links": links} for reason, links in sorted(Counter(rows["severed"].to_pylist()).items())]


def status_text(status: dict[str, Any]) -> str:
    """The status for a terminal."""
    parts = [f"Lake {status['lake']}"]
    for title in ("tables", "stages", "drift", "quarantine", "not linked"):
        if status[title]:
            rows = [tuple(item.values()) for item in status[title]]
            parts.append(f"{title.capitalize()}\n\n{text_table(tuple(status[title][0]), rows)}")
    return "\n\n".join(parts)
