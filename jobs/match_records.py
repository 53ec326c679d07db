"""Match records: which identifiers' records tell of one person though they share no identifier, where that is declared.

A model is trained once and kept in ``ops.match_models``; a score is a function of the model and the two records alone. So
only pairs are scored of which one end changed, and the table is what scoring every pair would give (docs/adr/0009).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.errors import ConfigurationError
from conf.project import Project, fingerprint
from conf.tables.ops import MATCH_MODELS
from conf.tables.silver import RECORD_MATCHES, RECORDS
from jobs.runtime.command import Commands, print_json, project_of, waiting_option, writing_run
from jobs.runtime.lake import append_rows, exists, read, read_rows
from jobs.runtime.merge import merge
from jobs.runtime.run_log import salt_of
from jobs.runtime.scratch import scratch
from jobs.runtime.stage import Changes, Outcome, Run, Stage, run_stage
from models.record_matching import CHANGED, ID, MatchModel, check_installed, score_pairs, train_model
from transforms.identity.matching import about, comparable_records, matches_of, sharing_a_block

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from conf.matching import MatchingConfig

STAGE = "match-records"


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 match-records``."""
    matching = commands.add_parser(STAGE, parents=[common], help="match records without a shared identifier, where declared")
    matching.add_argument("--full-refresh", action="store_true", help="look at every pair, not only at changed records")
    waiting_option(matching)
    matching.set_defaults(command=_match_alone)


def _match_alone(options: argparse.Namespace) -> int:
    from jobs.run_pipeline import run_alone
    from jobs.run_report import stage_table

    if project_of(options).identity.matching is None:
        raise ConfigurationError(["identity.yml: there is no `matching`, so there is nothing to match by"])
    with writing_run(options, STAGE) as run:
        outcomes = run_alone(run, STAGE)
    if options.json:
        print_json({"run_id": run.run_id, "stages": [asdict(outcome) for outcome in outcomes]})
    else:
        print(stage_table(outcomes))
    return 0


def match_records(run: Run) -> list[Outcome]:
    """Matches the records of people whose records changed; no stage at all where no matching is declared."""
    check_installed(run.project.identity.matching)
    return [] if run.project.identity.matching is None else [run_stage(run, match_stage())]


def match_stage() -> Stage:
    """Its keys are the primary identifiers of changed records."""
    return Stage(
        name=STAGE,
        reads=(RECORDS.name,),
        writes=(RECORD_MATCHES.name,),
        fingerprint=lambda p: fingerprint(*_declared(p), str(_matching(p).threshold)),
        keys=lambda run, feeds: _primary_identifiers(feeds[RECORDS.name]),
        body=_match,
    )


def _primary_identifiers(records: DataFrame) -> DataFrame:
    about_somebody = records.where(F.col("primary_identifier_id").isNotNull())
    return about_somebody.select(F.col("primary_identifier_id").alias(ID)).distinct()


def _match(run: Run, changes: Changes) -> dict[str, Any]:
    spark, lake, config, matching = run.spark, run.lake, run.project.identity, _matching(run.project)
    people = scratch(spark, lake, "people", comparable_records(read(spark, lake, RECORDS), config))
    model = _kept_model(run) or _trained_model(run, people)
    if isinstance(model, str):
        return {"waiting": model, **_without_matches(run)}
    last = run.log.last_done(STAGE)
    keys = changes.keys if last is not None and last.counts.get("model") == model.name else None
    compared = people if keys is None else sharing_a_block(people, keys, matching)
    given = _in_memory(compared, matching)
    scored = score_pairs(given, model, matching)
    pairs = spark.createDataFrame(scored if scored.num_rows else [], _SCORED)
    rows = matches_of(pairs, people, salt_of(spark, lake), model.name, config)
    scope = None if keys is None else about(read(spark, lake, RECORD_MATCHES), keys).select(*RECORD_MATCHES.keys)
    few = changes.few and keys is not None
    written = merge(spark, lake, RECORD_MATCHES, rows, scope=scope, scope_keys=RECORD_MATCHES.keys, few=few)
    return {"model": model.name, "compared": given.num_rows, "matches": written}


_SCORED = "identifier_id string, other_identifier_id string, score double, evidence array<struct<attribute:string,weight:double>>"


def _in_memory(people: DataFrame, matching: MatchingConfig) -> pa.Table:
    """What is compared of people, and whether they changed where that matters, in this process."""
    return people.select(ID, *matching.attributes, *(name for name in people.columns if name == CHANGED)).toArrow()


def _kept_model(run: Run) -> MatchModel | None:
    """The latest model that was trained by what is declared now."""
    declared = fingerprint(*_declared(run.project))
    rows = [r for r in read_rows(run.session_if_needed(), run.lake, MATCH_MODELS) if r["declared"] == declared]
    latest = max(rows, key=lambda row: row["trained_at"], default=None)
    return None if latest is None else MatchModel(latest["settings"], latest["records"])


def _trained_model(run: Run, people: DataFrame) -> MatchModel | str:
    """A new model, kept from now on, or why there can be none yet."""
    matching = _matching(run.project)
    model = train_model(_in_memory(people, matching), matching)
    if isinstance(model, MatchModel):
        told = {"model": model.name, "settings": model.settings, "records": model.records, "untrained": list(model.untrained)}
        kept = {"declared": fingerprint(*_declared(run.project)), "trained_at": run.started_at, "run_id": run.run_id}
        append_rows(run.spark, run.lake, MATCH_MODELS, [{**told, **kept}])
    return model


def _without_matches(run: Run) -> dict[str, Any]:
    """Nothing is matched without a model, also not what another declaration had matched."""
    if not exists(run.session_if_needed(), run.lake, RECORD_MATCHES.name):
        return {}
    nothing = run.spark.createDataFrame([], RECORD_MATCHES.schema)
    return {"matches": merge(run.spark, run.lake, RECORD_MATCHES, nothing)}


def _declared(project: Project) -> tuple[Any, ...]:
    """What a model depends on: not the threshold, which only says which of its scores count."""
    matching = _matching(project)
    rules = [",".join(rule) for rule in matching.block_on]
    return (matching.training, matching.compare, *rules, project.identity.blocked)


def _matching(project: Project) -> MatchingConfig:
    matching = project.identity.matching
    assert matching is not None
    return matching
