"""Whole days: what lies within a window that ends at ``as_of``, and what passes its bounds when ``as_of`` moves.

``as_of`` is a day, or a column of days where each row has its own.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F


def is_within(day: Column, days: int, as_of: date | Column) -> Column:
    """Whether ``day`` is one of the last ``days`` days, the day of ``as_of`` the last of them. Later days are, too:
    what is known already is not forgotten because "now" was set before it.
    """
    return day > F.date_sub(_column(as_of), days)


def is_in_window(day: Column, days: int, as_of: date | Column) -> Column:
    """Whether ``day`` is one of the last ``days`` days, the day of ``as_of`` the last of them, and no later one."""
    return is_within(day, days, as_of) & (day <= _column(as_of))


def has_left(day: Column, days: int, before: date, as_of: date) -> Column:
    """Whether ``day`` was one of the last ``days`` days as of ``before``, and is none as of the later ``as_of``."""
    return is_within(day, days, before) & ~is_within(day, days, as_of)


def has_entered(day: Column, before: date, as_of: date) -> Column:
    """Whether ``day`` was still to come as of ``before``, and is not as of the later ``as_of``."""
    return (day > F.lit(before)) & (day <= F.lit(as_of))


def _column(as_of: date | Column) -> Column:
    return as_of if isinstance(as_of, Column) else F.lit(as_of)
