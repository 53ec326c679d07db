from __future__ import annotations

import pytest

from conf.expressions import parse_expression


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("cast(a as int)", "TRY_CAST(a AS INT)"),
        ("a::int", "TRY_CAST(a AS INT)"),
        ("int(a)", "TRY_CAST(a AS INT)"),
        ("cast(a as decimal(18,2))", "TRY_CAST(a AS DECIMAL(18, 2))"),
        ("a + b", "TRY_ADD(a, b)"),
        ("a - b * c / d % e", "TRY_SUBTRACT(a, TRY_MOD(TRY_DIVIDE(TRY_MULTIPLY(b, c), d), e))"),
        ("cast(a as int) + 1", "TRY_ADD(TRY_CAST(a AS INT), 1)"),
        ("split(a, ',')[0]", "GET(SPLIT(a, ','), 0)"),
        ("element_at(split(a, ','), 1)", "TRY_ELEMENT_AT(SPLIT(a, ','), 1)"),
        ("to_utc_timestamp(a, 'Europe/Berlin')", "TO_UTC_TIMESTAMP(TRY_CAST(a AS TIMESTAMP), 'Europe/Berlin')"),
        ("to_date(a)", "TRY_TO_DATE(a)"),
        ("to_date(a, 'yyyy-MM-dd')", "TRY_TO_DATE(a)"),
        ("to_date(a, b)", "TRY_TO_DATE(a, b)"),
        ("to_timestamp(a, 'dd.MM.yyyy HH:mm')", "TRY_TO_TIMESTAMP(a, 'dd.MM.yyyy HH:mm')"),
        ("to_timestamp(a, 'EEE, dd MMM yyyy')", "TRY_TO_TIMESTAMP(a, 'EEE, dd MMM yyyy')"),
        ("to_timestamp(a, \"yyyy-MM-dd'T'HH:mm\")", r"TRY_TO_TIMESTAMP(a, 'yyyy-MM-dd\'T\'HH:mm')"),
    ],
)
def test_what_could_raise_on_a_bad_value_becomes_its_try_form(text: str, sql: str) -> None:
    assert parse_expression(text).sql == sql


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("a > 3", "TRY_CAST(a AS DOUBLE) > 3"),
        ("-1.5 <= a", "-1.5 <= TRY_CAST(a AS DOUBLE)"),
        ("a between 1 and 3", "TRY_CAST(a AS DOUBLE) BETWEEN 1 AND 3"),
        ("a in (1, 2)", "TRY_CAST(a AS DOUBLE) IN (1, 2)"),
        ("a <=> 1", "TRY_CAST(a AS DOUBLE) IS NOT DISTINCT FROM 1"),
        ("a = '3'", "a = '3'"),
        ("a = b", "a = b"),
    ],
)
def test_a_column_compared_with_a_number_is_read_as_a_number(text: str, sql: str) -> None:
    assert parse_expression(text).sql == sql


@pytest.mark.parametrize(
    "text",
    [
        "cast(a as int)",
        "upper(cast(a as int))",
        "coalesce(cast(a as int), 0)",
        "case when cast(a as int) = 1 then b end",
        "if(cast(a as int) = 1, b, c)",
    ],
)
def test_a_cast_that_is_always_evaluated_is_checked(text: str) -> None:
    assert parse_expression(text).checks == ("a IS NULL OR NOT TRY_CAST(a AS INT) IS NULL",)


@pytest.mark.parametrize(
    "text",
    [
        "try_cast(a as int)",
        "cast('2017-01-01' as date)",
        "coalesce(b, cast(a as int))",
        "case when b = 'x' then cast(a as int) end",
        "case when b = 'x' then c else cast(a as int) end",
        "case when b = 'x' then c when cast(a as int) = 1 then d end",
        "if(b = 'x', cast(a as int), c)",
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
    ],
)
def test_anything_but_one_rows_expression_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"expression|allowed|table") as refusal:
        parse_expression(text)
    assert told in str(refusal.value)
