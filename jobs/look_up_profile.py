"""``c360 lookup``: one profile by any of its identifiers, or by any id that it ever had."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

from conf.errors import BadInputError, ConfigurationError, LakeError, NotFoundError
from conf.project import Project
from conf.settings import parse_as_of
from conf.tables.consents import CONSENTS
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.ops import ACCESS_LOG, LAKE, NOW_FROM, NOW_LAST, RUNS
from conf.tables.silver import (
    EVENTS,
    IDENTITIES,
    IDENTITY_CHANGES,
    IDENTITY_LINKS,
    SEVERED_KEPT,
    profile_attributes_table,
)
from jobs.lookup.profile import EVENT_COLUMNS, LINK_COLUMNS, Asked, Found, Profile, Row, put_together
from jobs.lookup.question import Question, heir, holder_at, last_departure, read_question
from jobs.lookup.tables import CatalogueTables, FileTables, Tables, one_of
from jobs.lookup.text import profile_text
from jobs.runtime.command import Commands, print_json, project_of

EVENTS_SHOWN = 20
QUESTIONS_AT_A_TIME = 4


@dataclass(frozen=True)
class Reveal:
    """Who wants to see personal values, and why: both are recorded before anything is shown."""

    who: str
    why: str


class Lookup:
    """Answers about one lake. Its tables stay open between questions; ``refresh`` sees what was committed since."""

    def __init__(self, project: Project, tables: Tables) -> None:
        self._project = project
        self._tables = tables
        self._pool = ThreadPoolExecutor(QUESTIONS_AT_A_TIME)
        self._salt = self._read_salt()
        self._as_of = self._read_as_of()

    def refresh(self) -> None:
        """Looks for what runs have committed since the last question."""
        if self._tables.refresh() or self._as_of is None:  # there is none before the first run, nor a log to look at again
            self._as_of = self._read_as_of()

    def profile_of(
        self, text: str, at: datetime | None = None, events: int = EVENTS_SHOWN, reveal: Reveal | None = None
    ) -> Profile:
        """The profile that holds the identifier or id, today or ``at`` a time, with its last ``events``.

        Personal values are masked, or recorded in ``ops.access_log`` before they are returned. Raises BadInputError for
        a question that cannot be anybody's, and NotFoundError where nobody is known by it.
        """
        question = read_question(text, self._project.identity, self._salt)
        profile_id, moves = self._holder(question, at)
        found = self._found_at(profile_id, at, events) if at is not None else self._found(profile_id, events)
        if reveal is not None:
            self._record(reveal, question, profile_id)
        asked = Asked(question.asked, question.identifier_id, profile_id, moves)
        return put_together(asked, found, self._project, self._as_of, at, reveal is not None)

    def _read_salt(self) -> str:
        rows = self._tables.rows(LAKE.name, ("salt",), "true")
        if not rows:
            raise LakeError(f"There is no lake at {self._project.settings.lake or self._project.settings.catalog} yet.")
        return str(rows[0]["salt"])

    def _read_as_of(self) -> datetime | None:
        fixed = parse_as_of(self._project.settings.as_of)
        last = f"order by {', '.join(f'{name} desc' for name in NOW_LAST)} limit 1"
        rows = [] if fixed else self._tables.rows(RUNS.name, ("as_of",), NOW_FROM, last)
        return fixed or (rows[0]["as_of"] if rows else None)

    def _holder(self, question: Question, at: datetime | None, came: tuple[Row, ...] = ()) -> tuple[str, list[Row]]:
        """Whose the identifier is, and what has happened to it so far. A profile whose own identifier is gone went on as
        another: ``came`` are the moves from the one that was asked for to this one.
        """
        mine = ("identifier_id", [question.identifier_id])
        seen, changes = self._together(
            partial(self._rows_of, IDENTITIES.name, ("profile_id", "first_seen"), *mine),
            partial(self._rows_of, IDENTITY_CHANGES.name, IDENTITY_CHANGES.column_names, *mine),
        )
        profile_id = holder_at(seen[0]["profile_id"] if seen else None, changes, at)
        moves = [change for change in changes if at is None or change["changed_at"] <= at]
        ended = {move["from_profile_id"] for move in came}
        if profile_id is None and question.asked == "id":
            went = self._went_on(question.identifier_id, at)
            if went is not None and went["to_profile_id"] not in ended:
                return self._holder(Question("id", went["to_profile_id"]), at, (*came, went))
        if profile_id is None:
            gone = f" It was removed on {max(move['changed_at'] for move in moves):%Y-%m-%d}." if moves else ""
            raise NotFoundError(f"Nobody is known by this {question.asked}.{gone}")
        if at is not None and seen and seen[0]["first_seen"] is not None and seen[0]["first_seen"] > at:
            raise NotFoundError(f"Nobody was known by this {question.asked} yet on {at:%Y-%m-%d}.")
        since = came[-1]["changed_at"] if came else None
        later = [m for m in moves if since is None or (m["changed_at"] >= since and m["from_profile_id"] not in ended)]
        return profile_id, [*came, *later]

    def _went_on(self, profile_id: str, at: datetime | None) -> Row | None:
        """The move by which a profile that is no more became another; None where it did not, or never was."""
        left = self._rows_of(IDENTITY_CHANGES.name, IDENTITY_CHANGES.column_names, "from_profile_id", [profile_id])
        departure = last_departure(left, at)
        members = {change["identifier_id"] for change in departure}
        seen = self._rows_of(IDENTITIES.name, ("identifier_id", "namespace"), "identifier_id", members) if members else []
        return heir(departure, {row["identifier_id"]: row["namespace"] for row in seen}, self._project.identity.ranks)

    def _found(self, profile_id: str, events: int) -> Found:
        """The profile as it stands."""
        attributes, summary = profile_attributes_table(self._project.profile), customer_360_table(self._project.profile)
        tables = (IDENTITIES, attributes, summary, RFM, RFM_SCORES, CONSENTS, SEGMENT_ASSIGNMENTS)
        identifiers, told, summed, measured, scored, consents, assigned = self._together(
            *(partial(self._rows_of, t.name, t.column_names, "profile_id", [profile_id]) for t in tables)
        )
        members = [row["identifier_id"] for row in identifiers] or [profile_id]
        links, done = self._together(
            partial(self._links, members, {row["identifier_id"]: row["severed_from"] for row in identifiers}),
            partial(self._events, members, events, None),
        )
        return Found(told, identifiers, links, summed, measured, scored, consents, assigned, done)

    def _links(self, members: list[str], severed_from: dict[str, list[str] | None]) -> list[Row]:
        """The links at either end of which a member is.

        Those that come from a member lie together. Of those that come from elsewhere none is followed, or it would be a
        member; each member tells where they come from. Only where that is not all of them, as at a hub, all are gone through.
        """
        elsewhere = {one for cut in severed_from.values() for one in cut or ()}
        hubs = [one for one, cut in severed_from.items() if cut is None or len(cut) >= SEVERED_KEPT]
        first_ends = {*members, *elsewhere}
        if hubs:
            asked = f"{one_of('identifier_id', first_ends)} or {one_of('other_identifier_id', hubs)}"
            links = self._tables.rows(IDENTITY_LINKS.name, LINK_COLUMNS, asked)
        else:
            links = self._rows_of(IDENTITY_LINKS.name, LINK_COLUMNS, "identifier_id", first_ends)
        return [link for link in links if not {link["identifier_id"], link["other_identifier_id"]}.isdisjoint(members)]

    def _found_at(self, profile_id: str, at: datetime, events: int) -> Found:
        """What of the profile is kept by time: who belonged to it, its segments, its events."""
        began = f"profile_id = '{profile_id}' and valid_from <= {_moment(at)}"
        now, left, segments = self._together(
            partial(self._rows_of, IDENTITIES.name, ("identifier_id",), "profile_id", [profile_id]),
            partial(self._rows_of, IDENTITY_CHANGES.name, ("identifier_id",), "from_profile_id", [profile_id]),
            partial(self._tables.rows, SEGMENT_ASSIGNMENTS.name, SEGMENT_ASSIGNMENTS.column_names, began),
        )
        candidates = ("identifier_id", {profile_id, *(row["identifier_id"] for row in (*now, *left))})
        rows, changes = self._together(
            partial(self._rows_of, IDENTITIES.name, IDENTITIES.column_names, *candidates),
            partial(self._rows_of, IDENTITY_CHANGES.name, IDENTITY_CHANGES.column_names, *candidates),
        )
        of_identifier: dict[str, list[Row]] = {}
        for change in changes:
            of_identifier.setdefault(change["identifier_id"], []).append(change)
        members = [
            row
            for row in rows
            if holder_at(row["profile_id"], of_identifier.get(row["identifier_id"], []), at) == profile_id
            and (row["first_seen"] is None or row["first_seen"] <= at)
        ]
        done = self._events([row["identifier_id"] for row in members] or [profile_id], events, at)
        return Found(identifiers=members, segments=segments, events=done)

    def _events(self, members: list[str], number: int, at: datetime | None) -> list[Row]:
        """The last events of all identifiers of a profile: those of a browser from before its owner logged in, too."""
        import pyarrow.compute as pc

        found = self._tables.rows_of(EVENTS.name, EVENT_COLUMNS, "primary_identifier_id", members)
        if at is not None:
            found = found.filter(pc.field("occurred_at") <= at)
        last = pc.sort_indices(found, [("occurred_at", "descending"), ("source", "ascending"), ("event_id", "ascending")])
        return found.take(last[:number]).to_pylist()

    def _rows_of(self, table: str, columns: Sequence[str], key: str, ids: Collection[str]) -> list[Row]:
        return self._tables.rows_of(table, columns, key, ids).to_pylist()

    def _record(self, reveal: Reveal, question: Question, profile_id: str) -> None:
        row = (datetime.now(timezone.utc), reveal.who, profile_id, question.asked, reveal.why)
        self._tables.append(ACCESS_LOG, [dict(zip(ACCESS_LOG.column_names, row, strict=True))])

    def _together(self, *questions: Any) -> list[list[Row]]:
        """Asks all of them side by side: each mostly waits for storage."""
        return [answer.result() for answer in [self._pool.submit(question) for question in questions]]


def _moment(at: datetime) -> str:
    return f"cast('{at.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S}Z' as timestamp)"


def open_lookup(project: Project) -> Lookup:
    """Answers about the project's lake: without a JVM from a path or from object storage, through Spark from a catalogue."""
    from jobs.runtime.lake import open_lake
    from jobs.runtime.session import get_session

    lake = open_lake(project.settings)
    return Lookup(project, FileTables(lake.root) if lake.root is not None else CatalogueTables(get_session(), lake))


def add_commands(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``c360 lookup``."""
    parser = commands.add_parser("lookup", parents=[common], help="one profile: who it is, what it did, and since when")
    parser.add_argument("who", metavar="NAMESPACE:VALUE", help="one of its identifiers, or any profile_id that it ever had")
    parser.add_argument("--at", metavar="DATE", help="whose it was, and what it was, on that day")
    parser.add_argument(
        "--events", type=int, default=EVENTS_SHOWN, metavar="N", help=f"the last N events (default {EVENTS_SHOWN})"
    )
    parser.add_argument("--reveal", action="store_true", help="show personal values; recorded in ops.access_log")
    parser.add_argument("--why", metavar="TEXT", help="the reason to reveal them")
    parser.add_argument("--as", dest="acting_as", metavar="NAME", help="who looks (default: the operating system's user)")
    parser.set_defaults(command=_look_up)


def _look_up(options: argparse.Namespace) -> int:
    reveal = _reveal(options)
    at = _at(options.at)
    if options.events < 0:
        raise BadInputError(f"--events: found {options.events}; expected a number from 0 on.")
    profile = open_lookup(project_of(options)).profile_of(options.who, at, options.events, reveal)
    if options.json:
        print_json(asdict(profile))
    else:
        print(profile_text(profile))
    return 0


def _reveal(options: argparse.Namespace) -> Reveal | None:
    why = (options.why or "").strip()
    if not options.reveal:
        return None
    if not why:
        raise BadInputError("--reveal needs --why TEXT: who saw whose personal data, and why, is recorded.")
    return Reveal(options.acting_as or getpass.getuser(), why)


def _at(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = parse_as_of(text)
    except ValueError:
        at = None
    if at is None:
        raise ConfigurationError([f"--at: found {text!r}; expected a date (2017-12-31) or a time (2017-12-31T18:00:00)"])
    return at
