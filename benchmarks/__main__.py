"""``python -m benchmarks``: measures one entry, or all of them, at one size."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import compare, machine, report_text, write_report
from conf.errors import C360Error

HERE = Path(__file__).parent
ENTRIES = {
    "main-job": "the first `c360 run` over the sample, against reading every file and writing it once as Delta",
    "components": "who is connected over millions of links, against Splink on DuckDB, star contraction and scipy",
    "identity-full": "records to identities and golden profiles, everything at once, against DuckDB with Splink",
    "identity-day": "1% new records, against the bare MERGEs of the same rows, and with ten times the history",
    "identity-growth": "what a link of the second half costs, of one of the first",
    "segments-stability": "how many customers a new model gives another name although nothing about them has changed",
    "profile-build": "first measures of profiles from events, against plain DataFrames and DuckDB making the same",
    "profile-day": "events of 1% of the profiles, against the bare MERGEs of the same rows, and with ten times the history",
    "segments-training": "clusters of many customers, from measures to centres, against scikit-learn",
    "rfm-speed": "recency, frequency and monetary value from order lines, against a plain group-by, DuckDB and Polars",
    "rfm-day": "one more day of order lines, against a bare MERGE of the same rows, and DuckDB doing everything again",
    "lookup": "profiles looked up in a running process, against the same questions to DuckDB and Spark over the same files",
    "lookup-command": "the whole command, against programs that ask DuckDB and Spark",
}
"""What each entry measures; its module has the same name, with an underscore, and a function ``comparison``; or, where it is
no race, ``measure`` and ``report_lines``."""


def main() -> int:
    """Measures, prints a table and writes a JSON file for each. Exit code 1 where contenders cannot be compared."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends what was started, too
    for name in [options.name] if options.name else ENTRIES:
        entry = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        try:
            text = _raced(entry, name, options) if hasattr(entry, "comparison") else _measured(entry, name, options)
        except C360Error as error:
            sys.stderr.write(f"{name}: {error}\n")
            return error.exit_code
        sys.stdout.write(f"{text}\n\nbenchmarks/results/{name}-{options.size}.json\n")
    return 0


def _raced(entry: Any, name: str, options: argparse.Namespace) -> str:
    comparison = entry.comparison(options.size, HERE / ".work")
    return report_text(compare(comparison, options.runs, HERE / ".work" / "runs" / name, HERE / "results"))


def _measured(entry: Any, name: str, options: argparse.Namespace) -> str:
    found = entry.measure(options.size, HERE / ".work" / name)
    report = {"name": name, "size": options.size, "machine": machine(), **found}
    write_report(report, HERE / "results")
    return str(entry.report_lines(report))


def _parser() -> argparse.ArgumentParser:
    entries = "entries:\n" + "\n".join(f"  {name:10} {text}" for name, text in ENTRIES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures side by side on this machine.",
        epilog=entries,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", choices=list(ENTRIES), help="one entry (default: all)")
    parser.add_argument("--size", choices=["s", "m", "l"], default="s", help="small, medium, large (default: s)")
    parser.add_argument("--runs", type=_positive, default=3, help="timed runs of each contender (default: 3)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
