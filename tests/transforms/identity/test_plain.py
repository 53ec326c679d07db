"""A question's value is written as ingest writes it: the plain function and the SQL agree on any text."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.identity import Blocked, IdentityConfig, Namespace
from conf.project import load_project
from tests.conf.test_patterns import READ_ALIKE
from tests.transforms.identity.test_normalise import VALUES
from transforms.identity.normalise import blocked_reason, identifiers_column
from transforms.identity.plain import id_of, normalised, why_blocked

PEPPER = "pepper"
CONFIG = load_project().identity
NAMESPACES = [
    *CONFIG.namespaces,
    Namespace(name="lower", normalise="lower"),
    Namespace(name="upper", normalise="upper"),
    Namespace(name="phone_gb", normalise="phone", region="GB"),
    Namespace(name="phone_es", normalise="phone", region="ES"),
    Namespace(name="phone_any", normalise="phone"),
]
RULES = CONFIG.model_copy(update={"namespaces": tuple(NAMESPACES)})

PIECES = st.sampled_from(
    [*" \t\u00a0\u2028\u0085\n-.()+@0123456789", "00", "000", "(0)", "ext.", "EXT 12", "x9", "+1", "+44", "044", "55501044"]
) | st.sampled_from(["null", "N/A", "Test@", "ANA@Example.com", "ß", "İ", "Σ", "ǅ", "é", "٣", "\U0001f600", "unknown_"])
TEXTS = st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=20) | st.from_regex(r"\A\+?[0-9 ()./x-]{0,18}\Z")


@pytest.mark.parametrize(("namespace", "value", "expected"), [case for case in VALUES if case[1] is not None])
def test_values_are_written_in_one_way(namespace: Namespace, value: str, expected: str) -> None:
    assert normalised(value, namespace) == expected


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS.filter(lambda text: "\x00" not in text), min_size=100, max_size=100))
def test_the_plain_function_agrees_with_the_sql_on_any_text(spark: SparkSession, texts: list[str]) -> None:
    rows = spark.createDataFrame([(text, PEPPER) for text in texts], "text string, salt string")
    told = [identifiers_column([(n.name, F.col("text"))], RULES, F.col("salt"))[0].alias(n.name) for n in NAMESPACES]
    for text, found in zip(texts, rows.select(*told).collect(), strict=True):
        for namespace in NAMESPACES:
            value = normalised(text, namespace)
            mine = (value, id_of(namespace, value, PEPPER), why_blocked(text, namespace, RULES))
            its = found[namespace.name]
            assert mine == (its.value, its.identifier_id, its.blocked), (namespace.name, text)


def test_a_pattern_that_is_accepted_finds_the_same_in_a_value_and_in_a_column(spark: SparkSession) -> None:
    texts = [
        "",
        "000",
        "a",
        "a}",
        "x",
        "none",
        "one none",
        "abc",
        "a\rb",
        "a\u2028",
        "a\n\u0085",
        "{{name}}",
        "aa1-",
        "[",
        "1111111",
    ]
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    any_of = Namespace(name="any")
    rules = [IdentityConfig(namespaces=(any_of,), blocked=Blocked(patterns=(pattern,))) for pattern in READ_ALIKE]
    told = rows.select(*(blocked_reason(F.col("text"), any_of, rule).alias(str(n)) for n, rule in enumerate(rules))).collect()
    for text, its in zip(texts, told, strict=True):
        assert [why_blocked(text, any_of, rule) for rule in rules] == list(its), text
