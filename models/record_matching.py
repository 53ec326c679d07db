"""Matching by Fellegi and Sunter (1969), as Splink has it: learning what agreement is worth, and scoring pairs by it.

Everything happens in this process, in a DuckDB of its own. What is learnt is kept as Splink's settings, and a score is a
function of these and of the two records alone: no frequencies of values, nothing of the other records. So scoring the pairs
of changed records gives what scoring all pairs gives, as long as the model is the same one (docs/adr/0009).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from conf.errors import ConfigurationError, StageError
from conf.matching import MatchingConfig, Method, Rule

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from splink import Linker

ID, CHANGED = "identifier_id", "changed"
SCORE_DECIMALS, WEIGHT_DECIMALS = 6, 3
ITERATIONS = 10
"""Of expectation maximisation: enough to settle, too few for a vanishing probability to leave what a float can hold."""
RAREST = 1e-4
"""What no pair of one person showed in training is rare among them, not impossible."""


@dataclass(frozen=True)
class MatchModel:
    """Splink's settings with all that was learnt, as JSON, and on how many people's records."""

    settings: str
    records: int

    @property
    def name(self) -> str:
        """A hash of the settings: equal models have equal names."""
        return hashlib.md5(self.settings.encode(), usedforsecurity=False).hexdigest()

    @property
    def untrained(self) -> tuple[str, ...]:
        """Degrees of agreement that no pair showed in training, so that Splink's defaults stand for them."""
        levels = [level for comparison in _comparisons(self.settings) for level in comparison["comparison_levels"]]
        learnt = ("m_probability", "u_probability")
        return tuple(
            sorted(x["label_for_charts"] for x in levels if not x.get("is_null_level") and not all(part in x for part in learnt))
        )


def check_installed(matching: MatchingConfig | None) -> None:
    """Raises ConfigurationError where matching is declared and its packages are absent."""
    if matching is not None and (find_spec("splink") is None or find_spec("duckdb") is None):
        raise ConfigurationError(
            ["identity.yml: `matching` needs the packages of the extra [matching]: pip install 'lakehouse-c360[matching]'"]
        )


def train_model(people: pa.Table, matching: MatchingConfig) -> MatchModel | str:
    """A model of ``people`` (one row each: ``identifier_id`` and the attributes), or why there can be none yet.

    The same rows give the same model, in whatever order they come.
    """
    training = matching.training
    if len(people) < training.at_least:
        return f"{len(people)} of the {training.at_least} people that training waits for"
    with _database(threads=1) as con:  # sums of floating numbers depend on how threads share the work
        linker = _linker(con, people.sort_by(ID), _blank_settings(matching))
        linker.training.estimate_probability_two_random_records_match([*map(_rule, training.certain)], recall=training.recall)
        if not linker.misc.save_model_to_json()["probability_two_random_records_match"]:
            return "no two records agree by a rule of `certain`"
        linker.training.estimate_u_using_random_sampling(max_pairs=training.pairs, seed=training.seed, num_chunks=1)
        learnt = [_learn_from(linker, rule, training.pairs) for rule in matching.block_on]
        if not any(learnt):
            return "no two records agree by a rule of `block_on`"
        model = MatchModel(_kept(linker.misc.save_model_to_json()), len(people))
    unlearnt = [c["output_column_name"] for c in _comparisons(model.settings) if not _is_learnt(c)]
    return f"nothing was learnt of {', '.join(unlearnt)}" if unlearnt else model


def _learn_from(linker: Linker, rule: Rule, pairs: int) -> bool:
    """Expectation maximisation over the pairs that agree by one rule; False where there are none."""
    from splink.internals.exceptions import EMTrainingException

    try:
        linker.training.estimate_parameters_using_expectation_maximisation(_rule(rule), max_pairs=pairs)
    except (EMTrainingException, ValueError):  # no pairs, or pairs of which nothing can be told apart
        return False
    return True


def _kept(settings: dict[str, Any]) -> str:
    """The settings as they are kept: without what is random, and with nothing impossible."""
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if "m_probability" in level:
                level["m_probability"] = max(level["m_probability"], RAREST)
    return json.dumps({key: value for key, value in settings.items() if key != "linker_uid"}, sort_keys=True)


def _comparisons(settings: str) -> list[dict[str, Any]]:
    comparisons: list[dict[str, Any]] = json.loads(settings)["comparisons"]
    return comparisons


def _is_learnt(comparison: dict[str, Any]) -> bool:
    return any("m_probability" in level for level in comparison["comparison_levels"])


def score_pairs(people: pa.Table, model: MatchModel, matching: MatchingConfig) -> pa.Table:
    """Pairs at or above the threshold: ``identifier_id`` (the smaller), ``other_identifier_id``, ``score``, ``evidence``.

    Where ``people`` has the column ``changed``, only pairs are compared in which one of the two has. Raises StageError where
    these are more than ``max_pairs``.
    """
    if len(people) < 2:
        return _no_pairs()
    with _database() as con:
        con.register("people", people)
        _refuse_too_many(con, matching, CHANGED in people.column_names)
        rules = [_rule(rule, CHANGED in people.column_names) for rule in matching.block_on]
        settings = {**json.loads(model.settings), "blocking_rules_to_generate_predictions": rules}
        settings.update(retain_intermediate_calculation_columns=True, retain_matching_columns=False)
        scored = _linker(con, people, settings).inference.predict(warning_mode="never")
        return _matches(con, scored.physical_name, matching)


def _no_pairs() -> pa.Table:
    import pyarrow as pa

    evidence = pa.list_(pa.struct([("attribute", pa.string()), ("weight", pa.float64())]))
    columns = [(ID, pa.string()), (f"other_{ID}", pa.string()), ("score", pa.float64()), ("evidence", evidence)]
    return pa.schema(columns).empty_table()


def _matches(con: duckdb.DuckDBPyConnection, scored: str, matching: MatchingConfig) -> pa.Table:
    weights = ", ".join(
        f"{{attribute: '{c.attribute}', weight: round(\"mw_{c.attribute}\", {WEIGHT_DECIMALS})}}" for c in matching.compare
    )
    return con.sql(
        f"""
        select least({ID}_l, {ID}_r) as {ID}, greatest({ID}_l, {ID}_r) as other_{ID},
               round(match_probability, {SCORE_DECIMALS}) as score, [{weights}] as evidence
        from {scored} where round(match_probability, {SCORE_DECIMALS}) >= {matching.threshold} order by 1, 2
        """
    ).to_arrow_table()


def _refuse_too_many(con: duckdb.DuckDBPyConnection, matching: MatchingConfig, some: bool) -> None:
    counts = {", ".join(rule): _pairs_by(con, rule, some) for rule in matching.block_on}
    total = sum(counts.values())
    if total > matching.max_pairs:
        by_rule = "; ".join(f"[{rule}]: {count:,}" for rule, count in counts.items())
        raise StageError(
            f"Matching would compare {total:,} pairs, and `matching.max_pairs` in identity.yml allows {matching.max_pairs:,}. "
            f"By rule of `block_on`: {by_rule}. Add an attribute to the widest rule, or raise the limit. Nothing was matched."
        )


def _pairs_by(con: duckdb.DuckDBPyConnection, rule: Rule, some: bool) -> int:
    """How many pairs agree by the rule, of those of which one has changed where only ``some`` are asked for."""
    columns = ", ".join(f'"{name}"' for name in rule)
    there = " and ".join(f'"{name}" is not null' for name in rule)
    unchanged = f"count_if(not {CHANGED})" if some else "0"
    pairs = f"select count(*) as n, {unchanged} as u from people where {there} group by {columns}"
    return int(con.sql(f"select coalesce(sum(n * (n - 1) // 2 - u * (u - 1) // 2), 0)::hugeint from ({pairs})").fetchall()[0][0])


def _blank_settings(matching: MatchingConfig) -> dict[str, Any]:
    comparisons = [_methods()[c.method](c.attribute).create_comparison_dict("duckdb") for c in matching.compare]
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": ID,
        "comparisons": comparisons,
        "max_iterations": ITERATIONS,
        "blocking_rules_to_generate_predictions": [_rule(rule) for rule in matching.block_on],
    }


def _methods() -> dict[Method, Callable[[str], Any]]:
    from splink.internals import comparison_library as cl

    return {
        "exact": cl.ExactMatch,
        "name": lambda name: cl.JaroWinklerAtThresholds(name, [0.92, 0.8]),
        "text": lambda name: cl.JaroWinklerAtThresholds(name, [0.9, 0.7]),
        "code": lambda name: cl.DamerauLevenshteinAtThresholds(name, [1]),
        "date": lambda name: cl.DamerauLevenshteinAtThresholds(name, [1, 2]),
    }


def _rule(rule: Rule, some: bool = False) -> str:
    """SQL that is true where the pair agrees by the rule, and where one of the two has changed."""
    agree = " and ".join(f'l."{name}" = r."{name}"' for name in rule)
    return f"{agree} and (l.{CHANGED} or r.{CHANGED})" if some else agree


def _linker(con: duckdb.DuckDBPyConnection, people: pa.Table, settings: dict[str, Any]) -> Linker:
    from splink import DuckDBAPI, Linker

    return Linker(DuckDBAPI(con).register(people), settings, log_level=None)


@contextmanager
def _database(threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory; what does not fit spills into a folder that goes with it. Splink keeps to itself meanwhile."""
    import duckdb

    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what it would say of degrees of agreement is in MatchModel.untrained
    with TemporaryDirectory(prefix="c360-matching-") as folder:
        con = duckdb.connect(config={"temp_directory": folder})
        try:
            if threads is not None:
                con.execute(f"set threads = {threads}")
            yield con
        finally:
            con.close()
            logger.setLevel(level)
