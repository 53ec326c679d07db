"""Simulate identities: linking rules tried on a few lines of text, by the very code of the stage."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.runtime.command import Commands, print_json, project_of

if TYPE_CHECKING:
    from conf.identity import IdentityConfig
    from transforms.identity.scenarios import ScenarioOutcome


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 simulate``."""
    simulate = commands.add_parser("simulate", parents=[common], help="try linking rules on a few lines of text")
    simulate.add_argument("file", metavar="FILE", help="events, one a line (crm_id: Tom, cookie_id: 1); - for stdin")
    simulate.add_argument("--identity", type=Path, metavar="RULES.yml", help="other rules than the configuration's identity.yml")
    simulate.set_defaults(command=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from transforms.identity.scenarios import read_scenarios

    config = _rules(options)
    scenarios = read_scenarios(_text_of(options.file), config)
    outcomes = simulate_identities(scenarios, config)
    if options.json:
        print_json([_plain(outcome) for outcome in outcomes])
    else:
        print("\n\n".join(_told(number, outcome) for number, outcome in enumerate(outcomes, start=1)))
    return 0


def simulate_identities(scenarios: list[list[list[tuple[str, str]]]], config: IdentityConfig) -> list[ScenarioOutcome]:
    """Who is who after each scenario, all of them solved at once on the session."""
    from jobs.runtime.session import get_session
    from transforms.identity.scenarios import events_of, outcomes_of, solved_scenarios

    if not any(scenarios):
        return outcomes_of([], [], len(scenarios), config)
    spark = get_session()
    events = events_of(spark, scenarios, config).collect()
    return outcomes_of(events, solved_scenarios(spark, scenarios, config).collect(), len(scenarios), config)


def _rules(options: argparse.Namespace) -> IdentityConfig:
    from conf.identity import IdentityConfig
    from conf.reading import raise_problems, read_model

    if options.identity is None:
        return project_of(options).identity
    problems: list[str] = []
    config = read_model(options.identity, IdentityConfig, str(options.identity), problems)
    raise_problems(problems)
    assert config is not None
    return config


def _text_of(file: str) -> str:
    from conf.errors import BadInputError

    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file}: cannot be read ({type(error).__name__}).") from None


def _plain(outcome: ScenarioOutcome) -> dict[str, Any]:
    severed = [{"link": list(one.link), "reason": one.reason} for one in outcome.severed]
    return {"profiles": [list(members) for members in outcome.profiles], "severed": severed}


def _told(number: int, outcome: ScenarioOutcome) -> str:
    lines = [f"Scenario {number}"]
    lines += [f"  profile  {'  '.join(members)}" for members in outcome.profiles] or ["  nobody"]
    lines += [f"  severed  {' -- '.join(one.link)}  ({one.reason})" for one in outcome.severed]
    return "\n".join(lines)
