from __future__ import annotations

import re

import pytest

from conf.patterns import as_java_reads, why_refused

READ_ALIKE = [
    r"^0{3,}$", r"^(\d)\1{6,}$", r"^[^@]*$", r"^[^@a-z&]+\.(?:com|org)$", r"[]\[{}]", r"^\{\{.*\}\}$", r"a}", r"(?i)^x",
    r"(?=a)(?!b)(?<!c)a", r"\bnone\b", r"^.{3}$", r"^\Aa\u0041\x41\-", r"\B",
]  # fmt: skip


@pytest.mark.parametrize("pattern", READ_ALIKE)
def test_what_both_read_alike_is_accepted(pattern: str) -> None:
    assert why_refused(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"^{{.*}}$", "'{{.' at position 1"),
        (r"^0{,3}$", "'{,3' at position 2"),
        (r"(?P<x>a)b", "'(?P' at position 0"),
        (r"(a)(?(1)b|c)", "'(?(' at position 3"),
        (r"(?#no)a", "'(?#' at position 0"),
        (r"(?s)a.b", "'(?s' at position 0"),
        (r"a\Z", r"'\\Z' at position 1"),
        (r"\0", r"'\\0' at position 0"),
        (r"\v", r"'\\v' at position 0"),
        (r"[a&&b]", "Possible set intersection"),
        (r"[a[b]", "'[a[' at position 0"),
        (r"[\b]", r"'[\\b' at position 0"),
        (r"(a)(?<=\1)", "back-reference"),
        (r"[a--b]", "Possible set difference"),
        ("(", "unterminated"),
        (r"\p{L}", "bad escape"),
    ],
)
def test_what_only_one_of_them_reads_or_both_read_differently_is_refused_with_its_place(pattern: str, found: str) -> None:
    assert found in str(why_refused(pattern))


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [("^a$", "a\u2028", True), ("a$", "a\n\u0085", False), ("^a.b$", "a\rb", False), (r"\B", "", True), ("^[.$]$", "$", True)],
)
def test_python_is_given_the_line_ends_and_word_edges_of_java(pattern: str, text: str, is_found: bool) -> None:
    assert bool(re.search(as_java_reads(pattern), text, re.ASCII)) is is_found
