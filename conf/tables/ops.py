"""Ops contracts: what ran, what it read and wrote, and what is the lake's own."""

from __future__ import annotations

from pyspark.sql import types as T

from conf.tables.contract import Column, Table

STRING, LONG, TIME = T.StringType(), T.LongType(), T.TimestampType()

RUNS = Table(
    name="ops.runs",
    comment="One row per stage of a run that had something to do",
    columns=(
        Column("run_id", STRING, "Id of the run", "none", False),
        Column("stage", STRING, "Stage", "none", False),
        Column("outcome", STRING, "done or failed", "none", False),
        Column("why", STRING, "Why the stage ran: changes, first build, configuration, as_of, …", "none"),
        Column("as_of", TIME, "The run's now (UTC)", "none"),
        Column("fingerprint", STRING, "Hash of the configuration that the stage depends on", "none"),
        Column("inputs", STRING, "JSON: table -> version that the stage has read up to", "none"),
        Column("outputs", STRING, "JSON: table -> version after the stage", "none"),
        Column("counts", STRING, "JSON: rows read, inserted, updated, deleted, quarantined, by table or source", "none"),
        Column("started_at", TIME, "Start (UTC)", "none"),
        Column("seconds", T.DoubleType(), "Wall time", "none"),
    ),
    keys=("run_id", "stage"),
    change_feed=False,
    history=True,
)

NOW_FROM = "outcome = 'done' AND stage IN ('assign-segments', 'publish-customer-360')"
NOW_LAST = ("stage = 'assign-segments'", "started_at")
"""The rows of ``ops.runs`` of which the last, in this order, has the lake's now: assigning looks at every new day, and goes back
only where it is asked to; without customers there is only what was published."""

FILES = Table(
    name="ops.files",
    comment="One row per file that ingest has read to the end",
    columns=(
        Column("source", STRING, "Source", "none", False),
        Column("path", STRING, "Path below the landing root", "none", False),
        Column("bytes", LONG, "Size when it was read", "none", False),
        Column("modified_at", LONG, "Modification time when it was read, in ms since 1970", "none", False),
        Column("run_id", STRING, "Run that read it", "none"),
    ),
    keys=("source", "path", "bytes", "modified_at"),
    change_feed=False,
    history=True,
)

MATCH_MODELS = Table(
    name="ops.match_models",
    comment="One row per trained matching model; of one declaration the latest serves",
    columns=(
        Column("model", STRING, "Hash of the settings", "none", False),
        Column("declared", STRING, "Hash of the declaration that it was trained by", "none", False),
        Column("settings", STRING, "JSON: Splink's settings with all that was learnt; no value of a record", "none", False),
        Column("records", LONG, "People whose records it was trained on", "none"),
        Column("untrained", T.ArrayType(STRING), "Degrees of agreement that no pair showed, so Splink's defaults stand", "none"),
        Column("trained_at", TIME, "Start of the run that trained it (UTC)", "none", False),
        Column("run_id", STRING, "Run that trained it", "none", False),
    ),
    keys=("model", "declared", "trained_at"),
    change_feed=False,
    history=True,
)

LAKE = Table(
    name="ops.lake",
    comment="One row: the lake's format version and what is the lake's own",
    columns=(
        Column("lake_id", STRING, "Random id of the lake", "none", False),
        Column("format_version", T.IntegerType(), "Version of the lake's layout", "none", False),
        Column("salt", STRING, "Salt of identifier hashes: keep it secret", "direct", False),
        Column("created_at", TIME, "When the lake was made (UTC)", "none"),
    ),
    keys=("lake_id",),
    change_feed=False,
)

ACCESS_LOG = Table(
    name="ops.access_log",
    comment="One row per look at somebody's unmasked personal values: who, when, at whom, and why",
    columns=(
        Column("accessed_at", TIME, "When (UTC)", "none", False),
        Column("accessed_by", STRING, "Who looked: the operating system's user, or whom they named", "direct", False),
        Column("profile_id", STRING, "Profile that was shown", "indirect", False),
        Column("asked_by", STRING, "Namespace of the identifier that was asked for, or its id", "indirect"),
        Column("why", STRING, "The reason that was given", "direct", False),
    ),
    keys=("accessed_at", "accessed_by", "profile_id"),
    change_feed=False,
    history=True,
)

MODEL_PARAMETERS = Table(
    name="ops.model_parameters",
    comment="One row per fit of a model that is a handful of numbers; the latest version serves",
    columns=(
        Column("model", STRING, "Model: next_purchase", "none", False),
        Column("version", STRING, "1 for the first fit, then counted up", "none", False),
        Column("parameters", STRING, "JSON: the fitted parameters", "none", False),
        Column("facts", STRING, "JSON: what it was fitted on, and its error on days that it had not seen", "none"),
        Column("inputs", STRING, "JSON: table -> version that it was fitted on", "none"),
        Column("as_of", TIME, "The fit's now (UTC)", "none"),
        Column("run_id", STRING, "Run that fitted it", "none"),
    ),
    keys=("model", "version"),
    change_feed=False,
    history=True,
)

SEGMENT_DRIFT = Table(
    name="ops.segment_drift",
    comment="One row per run that assigned segments, and measure: how far customers are from those of the training",
    columns=(
        Column("run_id", STRING, "Run", "none", False),
        Column("subject", STRING, "Measure, or segments for the mix of segments", "none", False),
        Column("measured_at", TIME, "as_of of the run (UTC)", "none", False),
        Column("model_version", STRING, "Version of the registered model", "none", False),
        Column("psi", T.DoubleType(), "Population stability index: 0 is the same population", "none"),
        Column("bound", T.DoubleType(), "Index above which a new model is asked for", "none"),
    ),
    keys=("run_id", "subject"),
    change_feed=False,
    history=True,
)

FORMAT_VERSION = 1
