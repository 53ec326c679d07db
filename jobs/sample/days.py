"""The sample's calendar: 366 days counted from 0, 2017-01-01; a moment is seconds since that midnight (UTC)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

FIRST_DAY = date(2017, 1, 1)
DAYS = 366
"""The last day, 2018-01-01, has sales until 04:01: the data's year is a few hours longer in UTC."""

FIRST_DELIVERY = 330
SECONDS = 86_400

_START = datetime(2017, 1, 1, tzinfo=timezone.utc)


def date_of(day: int) -> date:
    """The calendar date of a day number."""
    return FIRST_DAY + timedelta(days=day)


def timestamp(moment: int) -> datetime:
    """The UTC timestamp of a moment."""
    return _START + timedelta(seconds=moment)


def clock_text(moment: int) -> str:
    """``2017-01-31 09:30:00``, as the till and the call centre write time."""
    return f"{timestamp(moment):%Y-%m-%d %H:%M:%S}"


def iso_text(moment: int) -> str:
    """``2017-01-31T09:30:00Z``, as the web shop and the app write time."""
    return f"{timestamp(moment):%Y-%m-%dT%H:%M:%SZ}"
