"""Promote and roll back segments: a person's decision on which model serves."""

from __future__ import annotations

import argparse

from jobs.runtime.command import Commands, new_run, print_json


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 promote-segments`` and ``c360 rollback-segments``."""
    promote = commands.add_parser("promote-segments", parents=[common], help="make a challenger champion")
    promote.add_argument("version", nargs="?", help="a registered version (default: the challenger)")
    promote.set_defaults(command=_promote)
    back = commands.add_parser("rollback-segments", parents=[common], help="make the champion before this one champion again")
    back.set_defaults(command=_roll_back)


def _promote(options: argparse.Namespace) -> int:
    from conf.errors import BadInputError
    from jobs.train_segments import tracking_of
    from models.registry import CHALLENGER, promote, version_behind

    tracking = tracking_of(new_run(options))
    version = options.version or version_behind(tracking, CHALLENGER)
    if version is None:
        raise BadInputError("There is no challenger to promote: run `c360 train-segments` first, or name a version.")
    former = promote(tracking, version)
    return _say(options, version, former, "is champion already" if former == version else "is champion")


def _roll_back(options: argparse.Namespace) -> int:
    from jobs.train_segments import tracking_of
    from models.registry import roll_back

    left, champion = roll_back(tracking_of(new_run(options)))
    return _say(options, champion, left, "is champion again")


def _say(options: argparse.Namespace, champion: str, before: str | None, what: str) -> int:
    if options.json:
        print_json({"champion": champion, "before": before})
        return 0
    after = f", after version {before}" if before not in (None, champion) else ""
    print(f"Version {champion} {what}{after}. The next `c360 assign-segments` (or `c360 run`) assigns by it.")
    return 0
