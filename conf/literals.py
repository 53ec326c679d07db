"""Arguments that an expression must spell out: Spark raises on a bad one, so it can neither come from a row nor be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

# Letters as often as Spark's reference of datetime patterns has them. It refuses week-based years and weeks everywhere.
_PARSED_LETTERS = re.compile("y{1,6}|[ML]{1,4}|[dHhKkms]{1,2}|D{1,3}|S{1,9}|G{1,4}|a|V{2}|z{1,4}|O(O{3})?|[Xx]{1,5}|Z{1,5}")
_WRITTEN_LETTERS = re.compile(_PARSED_LETTERS.pattern + "|E{1,4}|F|[Qq]{1,4}")


def _is_format(letters: re.Pattern[str]) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        pieces = re.finditer(r"'[^']*'|([A-Za-z])\1*|(?P<wrong>[#{}'])", text)
        known = all(not piece["wrong"] and (not piece[1] or letters.fullmatch(piece[0])) for piece in pieces)
        return known and text.count("[") == text.count("]")

    return fits


def _is_zone(text: str) -> bool:
    if re.fullmatch(r"(UTC|GMT)?[+-](0\d|1[0-7]):[0-5]\d", text):
        return True
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _is_number_format(text: str) -> bool:
    return re.fullmatch(r"(MI|S)?\$?[09G,]*([.D][09]*)?\$?(PR|MI|S)?", text, re.IGNORECASE) is not None and bool(
        set("09") & set(text)
    )


def _is_count(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,4}", text) is not None and abs(int(text)) <= 1000


LITERALS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "count": ("a whole number of at most 1000", _is_count),
    "position": ("a whole number of at most 1000 other than 0", lambda text: _is_count(text) and int(text) != 0),
    "parsed": ("a datetime pattern that Spark can parse with", _is_format(_PARSED_LETTERS)),
    "written": ("a datetime pattern that Spark can write with", _is_format(_WRITTEN_LETTERS)),
    "like": ("a text in quotes with \\ only before %, _ or \\", lambda text: not re.sub(r"\\[\\%_]", "", text).count("\\")),
    "number_format": ("a number format such as '999,999.99'", _is_number_format),
    "pattern": ("a text in quotes", lambda text: True),
    "zone": ("a time zone such as 'Europe/Berlin'", _is_zone),
}
"""Kind of literal -> what it is called in a message, and whether a text is one."""

NUMBERS = ("count", "position")
"""The kinds of literals that are numbers; the others are texts."""


def wrong_group(name: str, literals: list[str]) -> str | None:
    """What is wrong where a call asks for a group that its regular expression does not have: Spark would raise on the
    first text that matches.
    """
    if name not in ("regexp_extract", "regexp_replace"):
        return None
    plain = re.sub(r"(?s)\\Q.*?\\E|\\.|\[(?:\\.|[^\]\\])*\]", "", literals[0])  # without quotes, escapes and classes
    groups = len(re.findall(r"\((?:(?!\?)|\?<(?![=!]))", plain))
    if name == "regexp_extract":
        wanted = [literals[1] if len(literals) > 1 else "1"]
    else:  # \ and $ mean something in a replacement, and nothing but what is taken away here can be meant
        wanted = re.findall(r"\$(\d?)|\\$", re.sub(r"(?s)\\.", "", literals[1]))
    if all(number and 0 <= int(number) <= groups for number in wanted):
        return None
    return f"asks for a group that its pattern does not have: it has {groups}"
