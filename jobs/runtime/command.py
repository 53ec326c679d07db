"""What every command of the command line stands on: its common options, the project, the run, and JSON for machines."""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import ConfigurationError

if TYPE_CHECKING:
    from conf.project import Project
    from jobs.runtime.stage import Run

Commands = Any
"""What ``ArgumentParser.add_subparsers`` gives; argparse keeps its type to itself."""


def common_options() -> argparse.ArgumentParser:
    """The options that every command has, to hand over as a parent."""
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


def project_of(options: argparse.Namespace) -> Project:
    """The configuration that the options name. Raises ConfigurationError with all problems."""
    from conf.project import load_project
    from conf.settings import Settings

    project = load_project(options.conf, options.env, options.lake)
    changes = {"as_of": options.as_of, "landing": options.landing}
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        settings = Settings.model_validate({**project.settings.model_dump(exclude_none=True), **given})
    except ValueError as error:
        raise ConfigurationError([f"--as-of or --landing: {first_line(error, 2)}"]) from None
    return replace(project, settings=settings)


def new_run(options: argparse.Namespace, project: Project | None = None) -> Run:
    """A run on the lake that the options name (in ``project``, where that is read already); for a lake on this machine no
    session is made yet.
    """
    from jobs.runtime.lake import open_lake
    from jobs.runtime.run_log import check_lake, read_run_log
    from jobs.runtime.session import get_session
    from jobs.runtime.stage import Run

    project = project or project_of(options)
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
        approve=getattr(options, "approve", False),
    )


@contextmanager
def writing_run(options: argparse.Namespace, doing: str) -> Iterator[Run]:
    """A run that may write: the only one on a lake of this machine until it ends. What ran is read once that is so.

    Raises LakeBusyError where another one writes, and ``--wait`` was too short to see its end.
    """
    from jobs.runtime.lake import open_lake
    from jobs.runtime.lake_lock import held_lake

    project = project_of(options)
    with held_lake(open_lake(project.settings), doing, options.wait, show_progress):
        yield new_run(options, project)


def waiting_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--wait`` to a command that writes."""
    text = "how long to wait for another run that writes to the lake (default 0: end at once)"
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help=text)


def show_progress(step: str) -> None:
    """One line that is written over, on a terminal only; an empty ``step`` clears it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{step}", end=" …" if step else "", file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """``value`` on standard output; what JSON has no form for, as text."""
    print(json.dumps(value, indent=2, default=str))


def first_line(error: BaseException, number: int = 0) -> str:
    """The line of that number, blank ones not counted, of an error's text."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[min(number, len(lines) - 1)][:500] if lines else ""
