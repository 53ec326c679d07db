"""The command line: ``c360``, also ``python -m jobs.cli``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from conf.errors import C360Error
from jobs.runtime.command import (
    common_options,
    first_line,
    new_run,
    print_json,
    project_of,
    show_progress,
    waiting_option,
    writing_run,
)

if TYPE_CHECKING:
    from jobs.runtime.stage import Outcome, Run

COMMAND_MODULES = (
    "jobs.explain_identities",
    "jobs.decide_identities",
    "jobs.simulate_identities",
    "jobs.look_up_profile",
    "jobs.promote_segments",
    "jobs.match_records",
    "jobs.report_segments",
    "jobs.maintain_lake",
    "jobs.write_dictionary",
    "jobs.write_views",
)
"""Modules of commands that are no stage; each adds its own with ``add_commands(commands, common)``."""

STAGES = {
    "ingest-sources": "read new files into bronze and silver",
    "resolve-identities": "recompute who is who where it may have changed",
    "build-profiles": "recompute activity and attributes where they may have changed",
    "score-rfm": "recompute recency, frequency and monetary value where they may have changed",
    "train-segments": "train a challenger, and make it champion if the gate lets it",
    "assign-segments": "merge each customer's segment back",
    "publish-customer-360": "recompute the customer 360 where any part changed",
    "predict-purchases": "bring expected purchases up to date",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Exit code 0 done, 1 failed, 2 bad input or configuration."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except C360Error as error:
        return _fail(options, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(options, "Interrupted. The next run takes up what is left.", 1)
    except BrokenPipeError:
        return 1
    except Exception as error:
        if options.debug:
            raise
        return _fail(options, f"{_without_values(error)} (--debug shows where)", 1)


def console() -> None:
    """The console script. Raises SystemExit only on failure: what calls it in a process of its own (a Databricks wheel
    task) looks at what it raises, not at what it returns.
    """
    code = main()
    if code:
        raise SystemExit(code)


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    common = common_options()
    parser = argparse.ArgumentParser(prog="c360", description="One live customer 360 on your own lakehouse.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", parents=[common], help="every stage, incrementally")
    run.add_argument("--full-refresh", action="store_true", help="look at every key, not only at changed ones")
    run.add_argument("--train", action="store_true", help="train segments and fit expected purchases anew")
    waiting_option(run)
    run.set_defaults(command=_run)
    for name, text in STAGES.items():
        stage = commands.add_parser(name, parents=[common], help=text)
        stage.add_argument("--full-refresh", action="store_true", help="look at every key, not only at changed ones")
        if name == "train-segments":
            stage.add_argument("--if-needed", action="store_true", help="train only where no champion fits the measures")
            stage.add_argument("--approve", action="store_true", help="leave it to a person to promote the challenger")
        if name == "predict-purchases":
            stage.add_argument("--train", action="store_true", help="fit the parameters anew")
        waiting_option(stage)
        stage.set_defaults(command=_run_stage, stage=name)

    sample = commands.add_parser("sample", parents=[common], help="write the sample landing files")
    sample.add_argument("--days", type=int, help="the next DAYS days (default: the first 330 of 2017)")
    sample.add_argument("--households", type=int, help="a small sample of so many households")
    sample.set_defaults(command=_sample)
    preview = commands.add_parser("preview", parents=[common], help="what a mapping makes of a source's first rows")
    preview.add_argument("source", help="a declared source; or a file, for a mapping to edit")
    preview.add_argument("--rows", type=int, default=5, help="how many rows (default 5)")
    preview.set_defaults(command=_preview)
    status = commands.add_parser("status", parents=[common], help="tables, versions, rows, last runs, quarantine")
    status.set_defaults(command=_status)
    for module in COMMAND_MODULES:
        import_module(module).add_commands(commands, common)
    return parser


def _run(options: argparse.Namespace) -> int:
    from jobs.run_pipeline import run_pipeline

    with writing_run(options, "run") as run:
        outcomes = run_pipeline(run, show_progress)
        show_progress("")
        return _report(options, run, outcomes)


def _run_stage(options: argparse.Namespace) -> int:
    from jobs.run_pipeline import run_alone

    with writing_run(options, options.stage) as begun:
        run = replace(begun, train=not options.if_needed) if options.stage == "train-segments" else begun
        return _report(options, run, run_alone(run, options.stage), segments=False)


def _report(options: argparse.Namespace, run: Run, outcomes: list[Outcome], segments: bool = True) -> int:
    from jobs.run_pipeline import resolve_as_of
    from jobs.run_report import assigned_as_of, notes, segment_lines, segment_table, stage_table

    run = replace(run, as_of=resolve_as_of(run))
    assigned = assigned_as_of(run)
    lines = segment_lines(replace(run, as_of=assigned)) if segments else []
    if options.json:
        shown = {"run_id": run.run_id, "as_of": run.as_of, "stages": [asdict(outcome) for outcome in outcomes]}
        print_json({**shown, "segments_as_of": assigned, "segments": [asdict(line) for line in lines]})
        return 0
    print(stage_table(outcomes))
    for note in notes(outcomes):
        print(f"\n{note}")
    if segments and lines:
        print(f"\nSegments as of {assigned:%Y-%m-%d %H:%M} UTC, medians by segment\n\n{segment_table(lines)}")
    if segments and lines and assigned != run.as_of:
        print(f"\nThat is the last assignment; what was assigned before: c360 segments --to {run.as_of:%Y-%m-%d}")
    if segments:
        print("\nNext:\n  " + "\n  ".join(_next_commands()))
    return 0


def _next_commands() -> list[str]:
    c360 = str(Path(sys.argv[0])) if Path(sys.argv[0]).name == "c360" else "python -m jobs.cli"
    c360 = c360.replace(f"{Path.cwd()}/", "")
    return [
        f"{c360} sample --days 1 && {c360} run    # the next day: only what changed is written",
        f"{c360} status                                 # tables, versions, rows, quarantine",
        f"{c360} preview pos                            # what a mapping makes of a feed's first rows",
    ]


def _sample(options: argparse.Namespace) -> int:
    from jobs.sample.write_sample import write_sample

    report = write_sample(Path(project_of(options).settings.landing), options.days, options.households)
    if options.json:
        print_json(asdict(report))
    else:
        print("\n".join(report.messages))
    return 0


def _preview(options: argparse.Namespace) -> int:
    from jobs.preview import preview_source, suggest_mapping

    project = project_of(options)
    if Path(options.source).is_file():
        text = suggest_mapping(project, Path(options.source))
        print_json({"mapping": text}) if options.json else print(text)
        return 0
    rows = preview_source(project, project.source(options.source), options.rows)
    if options.json:
        print_json(rows)
        return 0
    for number, row in enumerate(rows, start=1):
        print(f"row {number}")
        for key, value in row.items():
            print(f"  {key:24} {value}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from jobs.show_status import lake_status, status_text

    status = lake_status(new_run(options))
    if options.json:
        print_json(status)
    else:
        print(status_text(status))
    return 0


def _fail(options: argparse.Namespace, text: str, code: int) -> int:
    if options.json:
        print_json({"error": text, "exit_code": code})
    print(f"c360: {text}", file=sys.stderr)
    return code


def _without_values(error: Exception) -> str:
    """What went wrong. Spark's messages quote the value they failed on, which may be personal: its condition says enough."""
    condition = getattr(error, "getCondition", lambda: None)()
    return f"{type(error).__name__}: {condition or first_line(error)}"


if __name__ == "__main__":
    sys.exit(main())
