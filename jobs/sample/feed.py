"""What every feed of the sample gives: a file a day, and who really stands behind the identifiers in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class DayFile(NamedTuple):
    """One day's file of one source, whole, in memory."""

    rows: int
    content: bytes


class Sighting(NamedTuple):
    """An identifier in a delivered day. ``household`` is None where nobody has said who it is, e.g. before a login.

    ``moment`` orders the logins on a device that is shared.
    """

    day: int
    moment: int
    namespace: str
    value: str
    household: int | None


class Feed(Protocol):
    """One source of the sample."""

    @property
    def source(self) -> str:
        """The source's name, which is its folder's."""

    @property
    def extension(self) -> str:
        """How its files end."""

    @property
    def sightings(self) -> Sequence[Sighting]:
        """Every identifier of the year, with the day that delivers it."""

    def file(self, day: int) -> DayFile | None:
        """The file of one day, or None where the source has nothing to say."""


def text_file(lines: Iterable[str], header: str | None = None) -> DayFile:
    """A text file of these lines, below a header that is not counted."""
    rows = list(lines)
    text = "\n".join([header, *rows] if header is not None else rows)
    return DayFile(len(rows), f"{text}\n".encode())
