"""Linking rules on a few lines of text: what the rules make of them, before they touch data.

A line is an event, ``crm_id: Tom, cookie_id: 111``; later lines are later. Scenarios are told apart by a line ``---``.
What happens to the lines is the stage's own code: identifiers are normalised and blocked, linked and solved by the
functions that the job calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import BadInputError
from conf.identity import IdentityConfig
from transforms.identity.links import link_identifiers, sightings
from transforms.identity.normalise import identifiers_column
from transforms.identity.packing import IDENTITY
from transforms.identity.resolve import solution_of, solve
from transforms.identity.rules import ResolutionRules

START = datetime(2000, 1, 1, tzinfo=timezone.utc)
STEP = timedelta(minutes=1)

Written = tuple[str, str]
"""A namespace and a value, as they stand in the text."""


@dataclass(frozen=True)
class Severed:
    """A link that is not followed, its ends as ``namespace:value``, the stronger one first; and why."""

    link: tuple[str, str]
    reason: str


@dataclass(frozen=True)
class ScenarioOutcome:
    """Who is who after a scenario: the profiles' identifiers as ``namespace:value``, strongest first."""

    profiles: tuple[tuple[str, ...], ...]
    severed: tuple[Severed, ...]


def read_scenarios(text: str, config: IdentityConfig) -> list[list[list[Written]]]:
    """Scenarios of events of identifiers. Blank lines and lines that begin with ``#`` are left out.

    Raises BadInputError with every line that does not read.
    """
    scenarios: list[list[list[Written]]] = [[]]
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() == "---":
            scenarios.append([])
        elif line.strip() and not line.lstrip().startswith("#"):
            try:
                scenarios[-1].append([_written(part, config) for part in line.split(",")])
            except ValueError as error:
                problems.append(f"  - line {number}: {error}")
    if problems:
        raise BadInputError("The scenarios do not read:\n" + "\n".join(problems))
    return scenarios if scenarios[-1] or len(scenarios) == 1 else scenarios[:-1]  # a last line --- ends the last scenario


def _written(part: str, config: IdentityConfig) -> Written:
    namespace, colon, value = part.strip().partition(":")
    if not colon:
        raise ValueError(f"found {part.strip()!r}; expected namespace: value, parted by commas")
    return config.namespace(namespace.strip()).name, value.strip()


def solved_scenarios(spark: SparkSession, scenarios: Sequence[Sequence[Sequence[Written]]], config: IdentityConfig) -> DataFrame:
    """All scenarios solved in one go: identities and links, told apart by ``kind``.

    Each scenario is salted with its number, so that no identifier of one is an identifier of another.
    """
    latest = START + STEP * max((len(events) for events in scenarios), default=0)
    rows = events_of(spark, scenarios, config).select("identifiers", "seen_at", F.lit("scenario").alias("source"))
    return solution_of(solve(link_identifiers(sightings(rows)), ResolutionRules(config, as_of=latest)))


def events_of(spark: SparkSession, scenarios: Sequence[Sequence[Sequence[Written]]], config: IdentityConfig) -> DataFrame:
    """One row per event: ``scenario`` (its number, from 0), ``seen_at``, ``identifiers`` as the stage makes them."""
    data = [
        (number, START + STEP * line, [list(one) for one in event])
        for number, events in enumerate(scenarios)
        for line, event in enumerate(events)
    ]
    written = spark.createDataFrame(data, "scenario int, seen_at timestamp, written array<array<string>>")
    most: dict[str, int] = {}
    for _, _, event in data:
        for name in {name for name, _ in event}:
            most[name] = max(most.get(name, 0), sum(1 for other, _ in event if other == name))
    pairs = [(name, _nth_value(name, nth)) for name, count in sorted(most.items()) for nth in range(count)]
    salt = F.concat(F.lit("scenario "), F.col("scenario"))
    return written.select("scenario", "seen_at", identifiers_column(pairs, config, salt).alias("identifiers"))


def _nth_value(namespace: str, nth: int) -> Any:
    of_it = F.filter("written", lambda one: one[0] == namespace)
    return F.get(F.get(of_it, F.lit(nth)), F.lit(1))


def outcomes_of(events: Iterable[Any], solved: Iterable[Any], count: int, config: IdentityConfig) -> list[ScenarioOutcome]:
    """The collected rows of :func:`events_of` and :func:`solved_scenarios` as one outcome per scenario, in their order."""
    scenario_of = {one["identifier_id"]: row["scenario"] for row in events for one in row["identifiers"]}
    profiles: list[dict[str, list[tuple[int, str]]]] = [{} for _ in range(count)]
    severed: list[list[Severed]] = [[] for _ in range(count)]
    for row in solved:
        scenario = scenario_of[row["identifier_id"]]
        name = f"{row['namespace']}:{row['value']}"
        if row["kind"] == IDENTITY:
            profiles[scenario].setdefault(row["profile_id"], []).append((config.ranks[row["namespace"]], name))
        elif row["severed"] is not None:
            severed[scenario].append(Severed((name, f"{row['other_namespace']}:{row['other_value']}"), row["severed"]))
    return [
        ScenarioOutcome(
            tuple(tuple(name for _, name in members) for members in sorted(sorted(group) for group in of_one.values())),
            tuple(sorted(links, key=lambda one: one.link)),
        )
        for of_one, links in zip(profiles, severed, strict=True)
    ]
