from __future__ import annotations

import re
from itertools import product

import pytest
import sqlglot
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.expressions import ALLOWED_SYNTAX, SparkAsWritten, parse_expression
from conf.functions import FUNCTIONS
from conf.literals import LITERALS


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("cast(a as int)", "TRY_CAST(a AS INT)"),
        ("a::int", "TRY_CAST(a AS INT)"),
        ("int(a)", "TRY_CAST(a AS INT)"),
        ("cast(a as decimal(18,2))", "TRY_CAST(a AS DECIMAL(18, 2))"),
        ("cast(a as int) + 1", "TRY_ADD(TRY_CAST(a AS INT), 1)"),
        ("1 - 2 * 3 / 4 % 5", "TRY_SUBTRACT(1, TRY_MOD(TRY_DIVIDE(TRY_MULTIPLY(2, 3), 4), 5))"),
        ("to_date(a) + (interval 3 days)", "TRY_ADD(TRY_CAST(a AS DATE), (INTERVAL '3' DAYS))"),
        ("-cast(a as int)", "TRY_MULTIPLY(TRY_CAST(a AS INT), -1)"),
        ("-cast(a as double)", "-TRY_CAST(a AS DOUBLE)"),
        ("abs(cast(a as int))", "TRY_CAST(ABS(TRY_CAST(TRY_CAST(a AS INT) AS DECIMAL(20, 0))) AS BIGINT)"),
        ("pmod(cast(a as int), 3)", "PMOD(TRY_CAST(a AS INT), NULLIF(3, 0))"),
        ("split(a, ',')[0]", "GET(SPLIT(a, ','), 0)"),
        ("element_at(split(a, ','), 1)", "TRY_ELEMENT_AT(SPLIT(a, ','), 1)"),
        ("url_decode(a)", "TRY_URL_DECODE(a)"),
        ("timestamp_seconds(cast(a as bigint))", "TRY_CAST(TRY_CAST(a AS BIGINT) AS TIMESTAMP)"),
        ("to_utc_timestamp(a, 'UTC')", "TRY_ADD(TO_UTC_TIMESTAMP(TRY_CAST(a AS TIMESTAMP), 'UTC'), INTERVAL '0' DAY)"),
        ("to_date(a)", "TRY_CAST(a AS DATE)"),
        ("try_to_date(a)", "TRY_CAST(a AS DATE)"),
        ("to_date(a, 'yyyy-MM-dd')", "TRY_ADD(CAST(TRY_TO_TIMESTAMP(a, 'yyyy-MM-dd') AS DATE), INTERVAL '0' DAY)"),
        ("to_timestamp(a, 'd.M.yyyy H:mm')", "TRY_ADD(TRY_TO_TIMESTAMP(a, 'd.M.yyyy H:mm'), INTERVAL '0' DAY)"),
        ("to_timestamp(a, \"yyyy'T'HH\")", r"TRY_ADD(TRY_TO_TIMESTAMP(a, 'yyyy\'T\'HH'), INTERVAL '0' DAY)"),
    ],
)
def test_what_could_raise_on_a_bad_value_becomes_its_try_form(text: str, sql: str) -> None:
    assert parse_expression(text).sql == sql


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("a > 3", "TRY_CAST(a AS DOUBLE) > 3"),
        ("-1.5 <= trim(a)", "-1.5 <= TRY_CAST(TRIM(a) AS DOUBLE)"),
        ("a between 1 and b", "TRY_CAST(a AS DOUBLE) BETWEEN 1 AND TRY_CAST(b AS DOUBLE)"),
        ("a in (1, 2)", "TRY_CAST(a AS DOUBLE) IN (1, 2)"),
        ("a <=> 1", "TRY_CAST(a AS DOUBLE) IS NOT DISTINCT FROM 1"),
        ("case a when 1 then b end", "CASE TRY_CAST(a AS DOUBLE) WHEN 1 THEN b END"),
        ("a > date '2024-01-01'", "TRY_CAST(a AS DATE) > TRY_CAST('2024-01-01' AS DATE)"),
        ("a = '3'", "a = '3'"),
        ("a = b", "a = b"),
        ("a and not b", "TRY_CAST(a AS BOOLEAN) AND NOT TRY_CAST(b AS BOOLEAN)"),
        ("if(a, b, c)", "IF(TRY_CAST(a AS BOOLEAN), b, c)"),
        ("abs(a)", "ABS(TRY_CAST(a AS DOUBLE))"),
        ("date_add(a, b)", "DATE_ADD(TRY_CAST(a AS DATE), TRY_CAST(b AS INT))"),
        ("hour(to_date(a))", "HOUR(TRY_CAST(TRY_CAST(a AS DATE) AS TIMESTAMP))"),
        ("left(a, length(b))", "LEFT(a, LENGTH(b))"),
        ("concat(a, 1)", "CONCAT(a, 1)"),
    ],
)
def test_a_cast_that_spark_would_make_unasked_is_written_out(text: str, sql: str) -> None:
    assert parse_expression(text).sql == sql


def test_columns_of_other_kinds_are_left_as_they_are() -> None:
    assert parse_expression("day > b", (("day", "date"),)).sql == "day > TRY_CAST(b AS DATE)"
    assert parse_expression("revenue <> 0", (("revenue", "number"),)).sql == "revenue <> 0"


@pytest.mark.parametrize(
    "text",
    [
        "cast(a as int)",
        "upper(cast(a as int))",
        "coalesce(cast(a as int), 0)",
        "case when cast(a as int) = 1 then b end",
        "if(cast(a as int) = 1, b, c)",
        "nvl2(cast(a as int), b, c)",
        "left(b, a)",
    ],
)
def test_a_cast_that_is_always_evaluated_is_checked(text: str) -> None:
    assert parse_expression(text).checks == ("a IS NULL OR NOT TRY_CAST(a AS INT) IS NULL",)


@pytest.mark.parametrize(
    "text",
    [
        "try_cast(a as int)",
        "cast('2017-01-01' as date)",
        "coalesce(try_cast(b as int), cast(a as int))",
        "case when b = 'x' then cast(a as int) end",
        "case when b = 'x' then 0 else cast(a as int) end",
        "case when b = 'x' then c when cast(a as int) = 1 then d end",
        "if(b = 'x', cast(a as int), 0)",
        "nvl2(b, cast(a as int), 0)",
        "try_to_timestamp(a, 'yyyy')",
    ],
)
def test_a_cast_that_may_not_be_evaluated_is_not_checked(text: str) -> None:
    assert parse_expression(text).checks == ()


@pytest.mark.parametrize("text", ["to_timestamp(a, 'yyyy')", "to_date(a)", "a > 3"])
def test_reading_a_time_and_comparing_with_a_number_are_checked_like_casts(text: str) -> None:
    assert len(parse_expression(text).checks) == 1


def test_each_cast_is_checked_once_in_the_order_of_the_text() -> None:
    checks = parse_expression("cast(b as int) + cast(a as int) + cast(b as int)").checks
    assert sorted(checks) == ["a IS NULL OR NOT TRY_CAST(a AS INT) IS NULL", "b IS NULL OR NOT TRY_CAST(b AS INT) IS NULL"]


def test_columns_are_named_once() -> None:
    assert sorted(parse_expression("concat(a, b, upper(a), `with blank`)").columns) == ["a", "b", "with blank"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("java_method('java.lang.System', 'exit')", "the function java_method is not allowed"),
        ("reflect('a', 'b')", "the function reflect is not allowed"),
        ("secret('scope', 'key')", "the function secret is not allowed"),
        ("upper(secret('scope', 'key'))", "the function secret is not allowed"),
        ("read_files('/etc')", "the function read_files is not allowed"),
        ("http_request('x')", "the function http_request is not allowed"),
        ("current_timestamp()", "the function current_timestamp is not allowed"),
        ("rand()", "the function rand is not allowed"),
        ("(select 1)", "subquery is not allowed"),
        ("a in (select b from t)", "is not allowed"),
        ("exists(select 1)", "is not allowed"),
        ("select 1", "select is not allowed"),
        ("drop table t", "drop is not allowed"),
        ("sum(a)", "sum is not allowed"),
        ("row_number() over (partition by a)", "window is not allowed"),
        ("transform(a, x -> x)", "is not allowed"),
        ("*", "star is not allowed"),
        ("t.a", "name a column without a table"),
        ("a; b", "expected one SQL expression"),
        ("", "expected one SQL expression"),
        ("cast(a as", "not a SQL expression"),
        ("parse_json(a)", "the function parse_json is not allowed"),
        ("current_date", "is not allowed"),
        ("strpos(a, b)", "the function strpos is not allowed (write instr(text, part))"),
        ("a div b", "is not allowed (write cast(a / b as bigint))"),
        ("'it''s'", r"is not allowed (write a quote inside a text as \')"),
    ],
)
def test_anything_but_one_rows_expression_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"expression|allowed|table") as refusal:
        parse_expression(text)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a + 1", "a + 1 computes with text and a whole number: cast the text first, e.g. cast(a as decimal(18,2))"),
        ("a * b", "a * b computes with text and text: cast the text first, e.g. cast(a as decimal(18,2))"),
        ("-a", "-a computes with text: cast the text first, e.g. cast(a as decimal(18,2))"),
        ("pmod(a, 3)", "PMOD(a, 3) computes with text and a whole number: cast the text first"),
        ("a + interval 1 day", "computes with text and an interval"),
        ("greatest(a, 3)", "GREATEST(a, 3) mixes text and a whole number: cast the text first, e.g. cast(a as decimal(18,2))"),
        ("coalesce(to_date(b), a)", "mixes a date and text: cast the text first, e.g. cast(a as date)"),
        ("coalesce(cast(a as int), 'none')", "mixes a whole number and text"),
        ("case when a = 'x' then b else 1 end", "mixes text and a whole number"),
        ("nullif(a, 0)", "NULLIF(a, 0) mixes text and a whole number"),
        ("array(a, 1)", "ARRAY(a, 1) needs text, and 1 is a whole number"),
        ("cast(a as int) = cast(b as boolean)", "compares a whole number and a condition"),
        ("year(1)", "YEAR(1) needs a date, and 1 is a whole number"),
        ("a[0]", "a[0] needs an array, and a is text"),
        ("upper(split(a, ','))", "needs text, and SPLIT(a, ',') is an array"),
        ("cast(cast(a as boolean) as date)", "a condition cannot be cast to date"),
        ("cast(a as array<int>)", "text cannot be cast to array<int>"),
        ("upper(a, b)", "upper does not take 2 values"),
        ("int(a, b)", "int does not take 2 values"),
        ("a is b", "expected is null, is true or is false"),
        ("a in ()", "expected a list of values"),
        ("interval a day", "expected a whole number and a unit"),
    ],
)
def test_what_would_have_to_guess_is_refused_with_advice(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lpad(a, b)", "LPAD(a, b) needs a whole number of at most 1000, found b"),
        ("repeat(a, 2000000000)", "a whole number of at most 1000"),
        ("element_at(split(a, ','), 0)", "a whole number of at most 1000 other than 0, found 0"),
        ("split_part(a, ',', b)", "a whole number of at most 1000 other than 0, found b"),
        ("a rlike b", "a RLIKE b needs a text in quotes, found b"),
        ("regexp_replace(a, 'x', b)", "needs a text in quotes, found b"),
        ("regexp_replace(a, '(x)', '$2')", "asks for a group that its pattern does not have: it has 1"),
        ("regexp_extract(a, '[0-9(]+')", "asks for a group that its pattern does not have: it has 0"),
        (r"a like 'x\\d'", "with \\ only before %, _ or \\"),
        ("to_date(a, b)", "TO_DATE(a, b) needs a datetime pattern that Spark can parse with, found b"),
        ("to_timestamp(a, 'EEE, dd MMM yyyy')", "a datetime pattern that Spark can parse with"),
        ("date_format(a, 'YYYY-MM')", "a datetime pattern that Spark can write with"),
        ("date_format(a, 'yyyy]')", "a datetime pattern that Spark can write with"),
        ("to_utc_timestamp(a, 'Berlin')", "needs a time zone such as 'Europe/Berlin', found 'Berlin'"),
        ("try_to_number(a, 'abc')", "needs a number format such as '999,999.99'"),
    ],
)
def test_what_spark_would_raise_on_is_spelled_out_and_right(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_expression(text)


# One of every kind of value that an expression over the text columns `a` and `b` can come to.
OF_KIND = {
    "text": ("a", "b"),
    "int": ("cast(a as int)", "try_cast(b as int)"),
    "bigint": ("cast(a as bigint)", "try_cast(b as bigint)"),
    "double": ("cast(a as double)", "try_cast(b as double)"),
    "decimal": ("cast(a as decimal(38,18))", "try_cast(b as decimal(38,0))"),
    "date": ("cast(a as date)", "try_cast(b as date)"),
    "timestamp": ("cast(a as timestamp)", "try_cast(b as timestamp)"),
    "boolean": ("cast(a as boolean)", "try_cast(b as boolean)"),
    "array": ("split(a, ',')", "split(b, '-')"),
    "null": ("null", "null"),
}
LITERAL_OF_KIND = {
    "count": ("1", "0"),
    "position": ("1", "-2"),
    "parsed": ("'yyyy-MM-dd'", "'y'"),
    "written": ("'yyyy-MM-dd EEEE HH:mm:ss.SSS'", "'GGGG QQQ DDD'"),
    "like": ("'a%'", r"'\\\\_'"),
    "pattern": ("'([0-9])'", "''"),
    "number_format": ("'999,999.99'", "'S9'"),
    "zone": ("'Europe/Berlin'", "'-08:00'"),
}
OPERATORS = """
    {} + {}; {} - {}; {} * {}; {} / {}; {} % {}; -{}; {} + interval '1' day; {} - interval '1' year; {} + (interval 2 hours);
    {} = {}; {} <> {}; {} < {}; {} <= {}; {} > {}; {} >= {}; {} <=> {}; {} is distinct from {}; {} between {} and {};
    {} in ({}, {}); {} = 1; {} > 1.5; {} in (1, 2); {} > date '2024-01-01'; {} < timestamp '2024-01-01'; {} = true;
    {} and {}; {} or {}; not {}; ({}) is null; {} is true; {} || {}; {} like 'a%'; {} ilike 'a%'; {} rlike '[a-z]';
    trim(leading '0' from {}); trim({} from {}); {}[{}]; split({}, ',')[{}]; try_cast({} as tinyint); string({});
    case when {} then {} else {} end; case {} when {} then {} end; case {} when 1 then {} end; if({}, null, false);
    cast({} as int); cast({} as bigint); cast({} as decimal(5,2)); cast({} as double); cast({} as date);
    cast({} as timestamp); cast({} as boolean); cast({} as varchar(3))
""".replace("\n", " ").split(";")
NASTY = (
    None, "", " ", "abc", "1e400", "99999999999999999999", "2024-13-45", "-1", "0", "\u0663", "x" * 5000, "a,b,c", "true", "NaN",
    "-Infinity", "2147483647", "-2147483648", "9223372036854775807", "-9223372036854775808", "12.5", "1e38", "9" * 38, "[(", "$9",
    "\\", "%zz", "\x00", "2024-01-05", "-999999-01-01", "+999999-01-01", "999999999", "5881580-07-11", "-5877641-06-23",
    "294247-01-10 04:00:54.775807", "-290308-12-21 19:59:05.224192",
)  # fmt: skip


def calls_of(name: str) -> list[str]:
    """Calls of a function with every kind of value in every place, but for those that are refused."""
    function, calls = FUNCTIONS[name], []
    for count in (n for n in range(len(function.arguments) + 2) if function.takes(n)):
        wanted = function.kinds(count)
        places = [LITERAL_OF_KIND[kind] if kind in LITERALS else None for kind in wanted]
        kinds = ("text", "int") if {"text", "words"}.issuperset({*wanted} - {*LITERALS}) else tuple(OF_KIND)
        for values, which in [*((OF_KIND[kind], 0) for kind in kinds), (OF_KIND["text"], 1)]:
            arguments = [place[which] if place else values[index % 2] for index, place in enumerate(places)]
            calls += [f"{name}({', '.join(arguments)})", f"{name}({', '.join((*arguments[:1], *(['b'] * (count - 1))))})"]
    return accepted(calls)


def accepted(texts: list[str]) -> list[str]:
    def is_accepted(text: str) -> bool:
        try:
            parse_expression(text)
        except ValueError:
            return False
        return True

    return [text for text in dict.fromkeys(texts) if is_accepted(text)]


def operations() -> list[str]:
    filled = []
    for template, (first, second) in product(OPERATORS, OF_KIND.values()):
        count = template.count("{}")
        orders = ([first, second, first], ["a", second, first], [first, "b", "a"])
        filled += [template.strip().format(*values[:count]) for values in orders]
    return accepted(filled)


def raising(frame: DataFrame, texts: list[str]) -> list[str]:
    """Which expressions stop the job. All are tried at once, and only where that fails in halves."""
    parsed = [parse_expression(text) for text in texts]
    columns = [F.expr(sql).cast("string") for one in parsed for sql in (one.sql, *one.checks)]
    try:
        frame.select(*[F.max(column) for column in columns]).collect()
    except Exception as error:  # noqa: BLE001 -- whatever it is, it stops the job
        middle = len(texts) // 2
        return raising(frame, texts[:middle]) + raising(frame, texts[middle:]) if middle else [f"{texts}: {str(error)[:300]}"]
    return []


@pytest.fixture(scope="module")
def nasty(spark: SparkSession) -> DataFrame:
    pairs = [(a, b) for index, a in enumerate(NASTY) for b in (a, None, NASTY[-index], "-2147483648")]
    return spark.createDataFrame(list(dict.fromkeys(pairs)), "a string, b string")


def test_no_function_that_is_allowed_stops_the_job_because_of_a_value(nasty: DataFrame) -> None:
    calls = {name: calls_of(name) for name in FUNCTIONS}
    assert [name for name, texts in calls.items() if not texts] == []
    assert raising(nasty, [text for texts in calls.values() for text in texts]) == []


def test_no_operator_that_is_allowed_stops_the_job_because_of_a_value(nasty: DataFrame) -> None:
    texts = operations()
    nodes = {type(node) for text in texts for node in sqlglot.parse_one(text, dialect=SparkAsWritten).walk()}
    assert ALLOWED_SYNTAX - nodes == set()
    assert raising(nasty, texts) == []


GOOD = {"word": "Ann Lee", "number": "12.5", "whole": "12", "day": "2024-02-29", "time": "2024-02-29 13:14:15", "yes": "true"}
GOOD_OF_KIND = {"number": "number", "int": "whole", "bigint": "whole", "date": "day", "timestamp": "time", "boolean": "yes",
                "array": "split(word, ' ')", "computed": "cast(whole as int)", "moment": "day"}  # fmt: skip
# What Spark does not take as text is given to it as what it takes.
ONLY_TYPED = {
    "format_number": "double",
    "timestamp_micros": "bigint",
    "timestamp_millis": "bigint",
    "timestamp_seconds": "double",
}


def test_every_function_gives_what_spark_gives_for_good_values(spark: SparkSession) -> None:
    pairs = {}
    for name, function in FUNCTIONS.items():
        arguments = [LITERAL_OF_KIND.get(k, (GOOD_OF_KIND.get(k, "word"),))[0] for k in function.arguments]
        plain = f"{name}({', '.join(arguments)})"
        if name in ONLY_TYPED:
            arguments[0] = f"cast({arguments[0]} as {ONLY_TYPED[name]})"
        if name == "if":
            arguments[0] = "cast(yes as boolean)"
        pairs[plain] = (parse_expression(plain).sql, f"{name}({', '.join(arguments)})")
    row = spark.createDataFrame([tuple(GOOD.values())], ", ".join(f"{name} string" for name in GOOD))
    ours, sparks = (row.select(*[F.expr(pair[n]).cast("string") for pair in pairs.values()]).collect()[0] for n in (0, 1))
    assert dict(zip(pairs, ours, strict=True)) == dict(zip(pairs, sparks, strict=True))


MEANING = {
    "abs(number)": "12.5",
    "abs(-cast(whole as int))": "12",
    "round(number)": "13.0",
    "round(cast(whole as int), -1)": "10",
    "ceil(number)": "13",
    "cast(whole as int) + 1": "13",
    "cast(number as decimal(5,2)) * -2": "-25.00",
    "pmod(-cast(whole as int), 5)": "3",
    "number > 12": "true",
    "number between 12 and 13": "true",
    "whole in (11, 12)": "true",
    "yes and number > 1": "true",
    "case when yes then 'y' else 'n' end": "y",
    "case whole when 12 then 'dozen' end": "dozen",
    "day = date '2024-02-29'": "true",
    "time >= cast(day as date)": "true",
    "date_add(day, 1)": "2024-03-01",
    "date_sub(day, whole)": "2024-02-17",
    "cast(day as date) + interval '1' year": "2025-02-28",
    "date_format(time, 'dd.MM.yyyy HH:mm')": "29.02.2024 13:14",
    "date_trunc('month', time)": "2024-02-01 00:00:00",
    "hour(time)": "13",
    "to_date(time, 'yyyy-MM-dd HH:mm:ss')": "2024-02-29",
    "to_timestamp(day, 'yyyy-MM-dd')": "2024-02-29 00:00:00",
    "to_utc_timestamp(time, 'Europe/Berlin')": "2024-02-29 12:14:15",
    "unix_timestamp(time)": "1709212455",
    "timestamp_millis(1709212455000)": "2024-02-29 13:14:15",
    "timestamp_seconds('1709212455')": "2024-02-29 13:14:15",
    "from_unixtime('1709212455', 'yyyy')": "2024",
    "datediff(time, '2024-02-01')": "28",
    "left(word, 3)": "Ann",
    "lpad(whole, 5, '0')": "00012",
    "split(word, ' ')[1]": "Lee",
    "element_at(split(word, ' '), -1)": "Lee",
    "split_part(word, ' ', 1)": "Ann",
    r"regexp_replace(word, '(\\w+) (\\w+)', '$2 $1')": "Lee Ann",
    "regexp_extract(word, '[A-Z]([a-z]+)')": "nn",
    "url_decode('a%20b')": "a b",
    "coalesce(null, word)": "Ann Lee",
    "trim(leading 'A' from word)": "nn Lee",
    "initcap('ann lee') = word": "true",
    "int('7')": "7",
    "year(word)": None,
}


def test_expressions_mean_what_they_say(spark: SparkSession) -> None:
    row = spark.createDataFrame([tuple(GOOD.values())], ", ".join(f"{name} string" for name in GOOD))
    found = row.select(*[F.expr(parse_expression(text).sql).cast("string") for text in MEANING]).collect()[0]
    assert dict(zip(MEANING, found, strict=True)) == MEANING
