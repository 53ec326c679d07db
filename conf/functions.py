"""The functions that an expression of the configuration may call, and what each takes.

Names as Spark has them. A value of another kind is cast to the kind that stands here (``conf.kinds``), and what cannot be
made safe by a cast stands here as a literal: a column could hold an index, pattern or format that stops the job.
Where a name is missing it has no use in a mapping, or no form that cannot raise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIGNATURES = """
    abs(number) first                          array(words*) array                        array_compact(array) array
    array_contains(array, words) boolean       array_distinct(array) array                array_join(array, words, words?) text
    array_size(array) int                      bround(number, count?) first               btrim(text, text?) text
    ceil(number) bigint                        ceiling(number) bigint                     char_length(text) int
    coalesce(same*) same                       concat(text*) text                         concat_ws(text, texts*) text
    contains(text, text) boolean               date_add(date, int) date                   date_format(timestamp, written) text
    date_sub(date, int) date                   date_trunc(text, timestamp) timestamp      datediff(date, date) int
    day(date) int                              dayofmonth(date) int                       dayofweek(date) int
    element_at(array, position) text           endswith(text, text) boolean               floor(number) bigint
    format_number(number, count) text          from_unixtime(bigint, written?) text       get_json_object(words, words) text
    greatest(same, same, same*) same           hour(timestamp) int                        if(boolean, same, same) same
    ifnull(same, same) same                    initcap(text) text                         instr(text, text) int
    isnan(number) boolean                      isnotnull(any) boolean                     isnull(any) boolean
    least(same, same, same*) same              left(text, int) text                       length(text) int
    like(text, like) boolean                   locate(text, text, int?) int               lower(text) text
    lpad(text, count, text?) text              ltrim(text, text?) text                    md5(words) text
    minute(timestamp) int                      month(date) int                            nullif(same, same) same
    nvl(same, same) same                       nvl2(any, same, same) same                 overlay(text, text, int, int?) text
    pmod(computed, computed) computed          pow(number, number) number                 power(number, number) number
    quarter(date) int                          regexp_count(text, pattern) int
    regexp_extract(text, pattern, count?) text regexp_like(text, pattern) boolean
    regexp_replace(text, pattern, pattern) text                                           repeat(text, count) text
    replace(text, text, text?) text            reverse(text) text                         right(text, int) text
    rlike(text, pattern) boolean               round(number, count?) first                rpad(text, count, text?) text
    rtrim(text, text?) text                    second(timestamp) int                      sha1(words) text
    sha2(words, count) text                    sign(number) number                        signum(number) number
    split(text, pattern, int?) array           split_part(text, text, position) text      startswith(text, text) boolean
    substr(text, int, int?) text               substring(text, int, int?) text            substring_index(text, text, count) text
    timestamp_micros(bigint) timestamp         timestamp_millis(bigint) timestamp         timestamp_seconds(number) timestamp
    to_date(moment, parsed?) date              to_timestamp(moment, parsed?) timestamp
    to_utc_timestamp(timestamp, zone) timestamp                                           translate(text, text, text) text
    try_add(computed, computed) computed       try_divide(computed, computed) computed    try_element_at(array, position) text
    try_multiply(computed, computed) computed  try_subtract(computed, computed) computed  try_to_date(moment, parsed?) date
    try_to_number(text, number_format) number  try_to_timestamp(moment, parsed?) timestamp
    typeof(any) text                           unix_timestamp(timestamp) bigint           upper(text) text
    url_decode(text) text                      weekday(date) int                          year(date) int
"""

INSTEAD = {
    "array": "write the value, not an array's",  # what the parser makes of array(a, b)[0]
    "concat": r"write a quote inside a text as \'",  # what the parser makes of 'it''s'
    "intdiv": "write cast(a / b as bigint)",
    "make_date": "write to_date(concat(y, '-', m, '-', d))",
    "make_timestamp": "write to_timestamp(concat(...), 'format')",
    "nullifzero": "write nullif(x, 0)",
    "strpos": "write instr(text, part)",
    "zeroifnull": "write coalesce(x, 0)",
}
"""What to write instead of what is not allowed."""

SAFE_FORMS = {
    "element_at": "TRY_ELEMENT_AT({all})",
    "pmod": "PMOD({0}, NULLIF({1}, 0))",
    "timestamp_millis": "TIMESTAMP_MICROS(TRY_MULTIPLY({0}, CAST(1000 AS BIGINT)))",
    "timestamp_seconds": "TRY_CAST({0} AS TIMESTAMP)",
    "url_decode": "TRY_URL_DECODE({all})",
    # Years beyond 294246 overflow in these, try_ or not. `try_add` of anything but numbers gives null for whatever its
    # arguments raise: Spark makes it a TryEval (catalyst/expressions/TryEval.scala).
    "date_trunc": "TRY_ADD(DATE_TRUNC({all}), INTERVAL '0' DAY)",
    # Not TRY_TO_DATE, which Spark 4.0 lacks: these two are what TO_DATE is.
    "to_date": "TRY_CAST({0} AS DATE)",
    "to_date by a pattern": "TRY_ADD(CAST(TRY_TO_TIMESTAMP({all}) AS DATE), INTERVAL '0' DAY)",
    "to_timestamp": "TRY_ADD(TRY_TO_TIMESTAMP({all}), INTERVAL '0' DAY)",
    "to_utc_timestamp": "TRY_ADD(TO_UTC_TIMESTAMP({all}), INTERVAL '0' DAY)",
    "try_to_timestamp": "TRY_ADD(TRY_TO_TIMESTAMP({all}), INTERVAL '0' DAY)",
}
"""Functions that raise on values of the right kind, as a form that gives null for them."""

WHOLE_NUMBER_FORM = "TRY_CAST({name}(TRY_CAST({0} AS DECIMAL(20, 0)){rest}) AS BIGINT)"
"""The form of ``abs``, ``round`` and ``bround`` of a whole number, which overflow at the end of its range."""

LAZY = frozenset(("coalesce", "if", "ifnull", "nvl", "nvl2"))
"""Functions that evaluate their first argument always, and any other only where it is needed."""


@dataclass(frozen=True)
class Function:
    """A function's kinds: of its arguments, in order, the last one again and again where ``repeats``; and of its result."""

    arguments: tuple[str, ...]
    least: int
    repeats: bool
    result: str

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.least <= count and (self.repeats or count <= len(self.arguments))

    def kinds(self, count: int) -> list[str]:
        """The kinds of so many arguments."""
        return [self.arguments[min(index, len(self.arguments) - 1)] for index in range(count)]


def _function(arguments: str, result: str) -> Function:
    kinds = [kind.strip() for kind in arguments.split(",")]
    least = sum(not kind.endswith(("?", "*")) for kind in kinds)
    return Function(tuple(kind.rstrip("?*") for kind in kinds), max(least, 1), arguments.endswith("*"), result)


FUNCTIONS = {name: _function(arguments, result) for name, arguments, result in re.findall(r"(\w+)\((.*?)\) (\w+)", _SIGNATURES)}
