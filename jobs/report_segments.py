"""Report segments: sizes, money, who moved between two dates and why; as text, JSON, CSV and a page with charts."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import BadInputError
from conf.settings import parse_as_of
from jobs.runtime.command import Commands, new_run, print_json

if TYPE_CHECKING:
    from jobs.segment_results.results import SegmentResults


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 segments``."""
    text = "sizes, revenue and movements between two dates"
    segments = commands.add_parser("segments", parents=[common], help=text, description=text.capitalize() + ".")
    segments.add_argument("--from", dest="before", metavar="DATE", help="the earlier date (default: 28 days before the later)")
    segments.add_argument("--to", dest="after", metavar="DATE", help="the later date (default: the last assignment)")
    segments.add_argument("--who", action="store_true", help="list the profiles that moved, came or went")
    segments.add_argument("--csv", type=Path, metavar="DIR", help="write the tables as CSV files into DIR")
    segments.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts, all in one file")
    segments.set_defaults(command=report_segments)


def report_segments(options: argparse.Namespace) -> int:
    """Reads the history, and tells it in the forms that are asked for."""
    from jobs.segment_results.results import segment_results
    from jobs.segment_results.tables import results_text

    before, after = _date("--from", options.before), _date("--to", options.after)
    results = segment_results(new_run(options), before, after, options.who)
    written = _write_files(results, options)
    if options.json:
        print_json({**as_json(results), "files": written})
        return 0
    print(results_text(results))
    if written:
        print("\nWritten: " + ", ".join(str(path) for path in written))
    return 0


def _write_files(results: SegmentResults, options: argparse.Namespace) -> list[Path]:
    written: list[Path] = []
    try:
        if options.csv is not None:
            from jobs.segment_results.tables import write_csv

            written += write_csv(results, options.csv)
        if options.html is not None:
            from jobs.segment_results.page import results_page

            options.html.write_text(results_page(results), encoding="utf-8")
            written.append(options.html)
    except OSError as error:
        raise BadInputError(f"{error.filename}: cannot be written ({error.strerror}).") from None
    return written


def as_json(results: SegmentResults) -> dict[str, Any]:
    """The results for a machine."""
    told = asdict(results)
    return {"from": told.pop("before"), "to": told.pop("after"), **told}


def _date(option: str, text: str | None) -> datetime | None:
    """A plain date is the end of that day, as ``--as-of`` has it."""
    if text is None:
        return None
    try:
        moment = parse_as_of(text)
    except ValueError:
        moment = None
    if moment is None:
        raise BadInputError(f"{option}: found {text!r}; expected a date (2017-12-31) or a time (2017-12-31T18:00:00).")
    return moment
