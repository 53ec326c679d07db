"""Regular expressions that mean the same to Java, which runs them for rows, and to Python, which runs them for one value.

What the two read differently, or one of them does not know, is refused; :func:`as_java_reads` sees to the rest.
"""

from __future__ import annotations

import re
import warnings

LINE_ENDS = "\n\r\u0085\u2028\u2029"
"""What ends a line to Java; to Python only the first does."""
AT_END = rf"(?=[{LINE_ENDS}]?\Z)"
"""What ``$`` is to Java: also ahead of a last line end."""

_ESCAPED = r"\\(?:[dDsSwWtnrfa]|x[0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|[^a-zA-Z0-9])"
_CLASS = rf"\[\^?\]?(?:{_ESCAPED}|[^\\\[\]&]|&(?!&))*\]"
_REFERENCE = r"\\[1-9](?![0-9])"
_BEHIND = r"\(\?<[=!]"
_OPENED = r"\((?!\?)|\(\?(?:[:=!>]|i\)|i:)"
_REPEATED = r"\{[0-9]{1,9}(?:,[0-9]{0,9})?\}"
_PART = re.compile(rf"{_ESCAPED}|{_CLASS}|{_REFERENCE}|{_BEHIND}|{_OPENED}|{_REPEATED}|\\[AbB]|[^\\\[({{]")


def why_refused(pattern: str) -> str | None:
    """Why ``pattern`` cannot be used, None where it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python will read in another way one day
            re.compile(pattern, re.ASCII)
    except (re.error, Warning) as error:
        return str(error)
    parts, end = [], 0
    while part := _PART.match(pattern, end):
        parts.append(part[0])
        end = part.end()
    if end < len(pattern):
        found = f"{pattern[end : end + 3]!r} at position {end}"
        return f"Spark and Python do not read {found} alike; a brace, bracket or & that stands for itself needs a backslash"
    if any(re.match(_BEHIND, part) for part in parts) and any(re.match(_REFERENCE, part) for part in parts):
        return "a back-reference together with a look behind is more than Spark knows"
    return None


def as_java_reads(pattern: str) -> str:
    """``pattern`` as Python has to be given it, for the flag ``re.ASCII``: its ``.`` and ``$`` know the line ends of Java, and
    in an empty text it is nowhere at the edge of a word.
    """
    others = {".": f"[^{LINE_ENDS}]", "$": AT_END, r"\B": r"(?!\b)"}
    return _PART.sub(lambda part: others.get(part[0], part[0]), pattern)
