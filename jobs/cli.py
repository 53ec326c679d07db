"""The command line: ``c360``, also ``python -m jobs.cli``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import C360Error, ConfigurationError

if TYPE_CHECKING:
    from conf.project import Project
    from jobs.runtime.stage import Outcome, Run

STAGES = {
    "ingest-sources": "read new files into bronze and silver",
    "resolve-identities": "recompute who is who where it may have changed",
    "build-profiles": "recompute activity and attributes where they may have changed",
    "score-rfm": "recompute recency, frequency and monetary value where they may have changed",
    "train-segments": "train a model and make it champion",
    "assign-segments": "merge each customer's segment back",
    "publish-customer-360": "recompute the customer 360 where any part changed",
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
    common = _common_options()
    parser = argparse.ArgumentParser(prog="c360", description="One live customer 360 on your own lakehouse.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", parents=[common], help="every stage, incrementally")
    run.add_argument("--full-refresh", action="store_true", help="look at every key, not only at changed ones")
    run.add_argument("--train", action="store_true", help="train even though there is a champion")
    run.set_defaults(command=_run)
    for name, text in STAGES.items():
        stage = commands.add_parser(name, parents=[common], help=text)
        stage.add_argument("--full-refresh", action="store_true", help="look at every key, not only at changed ones")
        if name == "train-segments":
            stage.add_argument("--if-needed", action="store_true", help="train only where there is no champion")
        stage.set_defaults(command=_run_stage, stage=name)

    sample = commands.add_parser("sample", parents=[common], help="write the sample landing files")
    sample.add_argument("--days", type=int, help="the next DAYS days (default: the first 330 of 2017)")
    sample.add_argument("--households", type=int, help="a small sample of so many households")
    sample.set_defaults(command=_sample)
    preview = commands.add_parser("preview", parents=[common], help="what a mapping makes of a source's first rows")
    preview.add_argument("source", help="a declared source")
    preview.add_argument("--rows", type=int, default=5, help="how many rows (default 5)")
    preview.set_defaults(command=_preview)
    status = commands.add_parser("status", parents=[common], help="tables, versions, rows, last runs, quarantine")
    status.set_defaults(command=_status)
    return parser


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--conf", type=Path, metavar="DIR", help="configuration folder (default: the sample's)")
    common.add_argument("--env", default=os.environ.get("C360_ENV", "local"), help="environment: conf/env/NAME.yml")
    common.add_argument("--lake", metavar="PATH", help="the lake's folder, instead of the environment's")
    common.add_argument("--landing", metavar="PATH", help="the landing folder, instead of the environment's")
    common.add_argument("--as-of", metavar="WHEN", help="latest_event, run_time, a date or a time (UTC)")
    common.add_argument("--run-id", metavar="ID", help="the run's id, the same for all its stages")
    common.add_argument("--json", action="store_true", help="print JSON, for machines")
    common.add_argument("--debug", action="store_true", help="show where an error comes from")
    return common


def _project(options: argparse.Namespace) -> Project:
    from conf.project import load_project
    from conf.settings import Settings

    project = load_project(options.conf, options.env, options.lake)
    changes = {"as_of": options.as_of, "landing": options.landing}
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        settings = Settings.model_validate({**project.settings.model_dump(exclude_none=True), **given})
    except ValueError as error:
        raise ConfigurationError([f"--as-of or --landing: {_first_line(error, 2)}"]) from None
    return replace(project, settings=settings)


def _new_run(options: argparse.Namespace) -> Run:
    from jobs.runtime.lake import open_lake
    from jobs.runtime.run_log import check_lake, read_run_log
    from jobs.runtime.session import get_session
    from jobs.runtime.stage import Run

    project = _project(options)
    lake = open_lake(project.settings)
    spark = None if lake.local_root is not None else get_session()
    check_lake(spark, lake)
    now = datetime.now(timezone.utc)
    return Run(
        project=project,
        lake=lake,
        run_id=options.run_id or f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}",
        started_at=now,
        log=read_run_log(spark, lake),
        session=get_session,
        full_refresh=getattr(options, "full_refresh", False),
        train=getattr(options, "train", False),
    )


def _run(options: argparse.Namespace) -> int:
    from jobs.run_pipeline import run_pipeline

    run = _new_run(options)
    outcomes = run_pipeline(run, _progress)
    _progress("")
    return _report(options, run, outcomes)


def _run_stage(options: argparse.Namespace) -> int:
    from jobs.run_pipeline import run_alone

    run = _new_run(options)
    if options.stage == "train-segments":
        run = replace(run, train=not options.if_needed)
    return _report(options, run, run_alone(run, options.stage), segments=False)


def _report(options: argparse.Namespace, run: Run, outcomes: list[Outcome], segments: bool = True) -> int:
    from jobs.run_pipeline import resolve_as_of
    from jobs.run_report import segment_lines, segment_table, stage_table

    run = replace(run, as_of=resolve_as_of(run))
    lines = segment_lines(run) if segments else []
    if options.json:
        shown = {"run_id": run.run_id, "as_of": run.as_of, "stages": [asdict(outcome) for outcome in outcomes]}
        _print_json({**shown, "segments": [asdict(line) for line in lines]})
        return 0
    print(stage_table(outcomes))
    if segments and lines:
        print(f"\nSegments as of {run.as_of:%Y-%m-%d %H:%M} UTC, medians by segment\n\n{segment_table(lines)}")
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

    report = write_sample(Path(_project(options).settings.landing), options.days, options.households)
    if options.json:
        _print_json(asdict(report))
    else:
        print("\n".join(report.messages))
    return 0


def _preview(options: argparse.Namespace) -> int:
    from jobs.preview import preview_source

    project = _project(options)
    rows = preview_source(project, project.source(options.source), options.rows)
    if options.json:
        _print_json(rows)
        return 0
    for number, row in enumerate(rows, start=1):
        print(f"row {number}")
        for key, value in row.items():
            print(f"  {key:24} {value}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from jobs.show_status import lake_status, status_text

    status = lake_status(_new_run(options))
    if options.json:
        _print_json(status)
    else:
        print(status_text(status))
    return 0


def _progress(stage: str) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{stage}", end=" …" if stage else "", file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def _fail(options: argparse.Namespace, text: str, code: int) -> int:
    if options.json:
        _print_json({"error": text, "exit_code": code})
    print(f"c360: {text}", file=sys.stderr)
    return code


def _without_values(error: Exception) -> str:
    """What went wrong. Spark's messages quote the value they failed on, which may be personal: its condition says enough."""
    condition = getattr(error, "getCondition", lambda: None)()
    return f"{type(error).__name__}: {condition or _first_line(error)}"


def _first_line(error: BaseException, number: int = 0) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[min(number, len(lines) - 1)][:500] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
