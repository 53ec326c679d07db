from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.identity import Blocked, BlockedValues, IdentityConfig, Namespace
from transforms.identity.normalise import (
    blocked_reason,
    identifier_id,
    identifiers_column,
    normalise_identifier,
    primary_identifier,
)

US_PHONE = Namespace(name="phone", normalise="phone", region="US")
GB_PHONE = Namespace(name="phone", normalise="phone", region="GB")
ANY_PHONE = Namespace(name="phone", normalise="phone")
EMAIL = Namespace(name="email", normalise="email")
CARD = Namespace(name="loyalty_id", normalise="card")

VALUES: list[tuple[Namespace, str | None, str | None]] = [
    (EMAIL, " Ana@Example.COM ", "ana@example.com"),
    (EMAIL, "\tana@example.com\u00a0", "ana@example.com"),
    (EMAIL, "", ""),
    (EMAIL, None, None),
    (CARD, "lc 00-12 34 ", "LC001234"),
    (Namespace(name="lower", normalise="lower"), " AB-c", "ab-c"),
    (Namespace(name="upper", normalise="upper"), " AB-c", "AB-C"),
    (Namespace(name="crm_id"), " Tom 1 ", "Tom 1"),
    (US_PHONE, "(555) 010-4477", "+15550104477"),
    (US_PHONE, "1-555-010-4477", "+15550104477"),
    (US_PHONE, "+1 (555) 010-4477", "+15550104477"),
    (US_PHONE, "555.010.4477 x89", "+15550104477"),
    (US_PHONE, "+44 (0)20 7946 0958", "+442079460958"),
    (US_PHONE, "0044 20 7946 0958", "+442079460958"),
    (US_PHONE, "010-4477", "0104477"),
    (US_PHONE, "+44 77", "4477"),
    (US_PHONE, " Unknown", "unknown"),
    (GB_PHONE, "020 7946 0958", "+442079460958"),
    (GB_PHONE, "44 20 7946 0958", "+442079460958"),
    (ANY_PHONE, "555 010 4477", "5550104477"),
    (ANY_PHONE, "+1 555 010 4477", "+15550104477"),
]


def one_row(spark: SparkSession, **values: Any) -> DataFrame:
    return spark.createDataFrame([tuple(values.values())], ", ".join(f"{name} string" for name in values))


def test_values_are_written_in_one_way(spark: SparkSession) -> None:
    row = one_row(spark, **{f"v{number}": value for number, (_, value, _) in enumerate(VALUES)})
    columns = [normalise_identifier(F.col(f"v{number}"), item[0]) for number, item in enumerate(VALUES)]
    assert list(row.select(*columns).first()) == [expected for _, _, expected in VALUES]


def test_placeholders_have_a_reason(spark: SparkSession) -> None:
    blocked = Blocked(values=("", "N/A"), patterns=("^[0-]*$",), namespaces={"email": BlockedValues(patterns=(r"^(a+)@\1$",))})
    config = IdentityConfig(namespaces=(Namespace(name="crm_id"), EMAIL), blocked=blocked)
    cases: list[tuple[Namespace, str | None, str | None]] = [
        (config.namespaces[0], " n/a ", "blocked_value"),
        (config.namespaces[0], "", "blocked_value"),
        (config.namespaces[0], "00-00", "blocked_pattern"),
        (config.namespaces[0], "x" * 1025, "too_long"),
        (config.namespaces[0], "x" * 1024, None),
        (config.namespaces[0], "AA@aa", None),
        (config.namespaces[0], None, None),
        (EMAIL, "AA@aa", "blocked_pattern"),
        (EMAIL, "0042", None),
    ]
    row = one_row(spark, **{f"v{number}": value for number, (_, value, _) in enumerate(cases)})
    reasons = [blocked_reason(F.col(f"v{number}"), item[0], config) for number, item in enumerate(cases)]
    assert list(row.select(*reasons).first()) == [expected for _, _, expected in cases]


def test_the_id_is_the_first_half_of_a_salted_hash(spark: SparkSession) -> None:
    row = one_row(spark, value="ana@example.com", salt="pepper")
    expected = hashlib.sha256(b"pepper:email:ana@example.com").hexdigest()[:32]
    assert row.select(identifier_id(EMAIL, F.col("value"), F.col("salt"))).first()[0] == expected


CONFIG = IdentityConfig(
    namespaces=(Namespace(name="crm_id"), EMAIL, US_PHONE, Namespace(name="cookie_id")),
    blocked=Blocked(values=("unknown",), patterns=("^[0-]*$",)),
)


def identifiers(spark: SparkSession, pairs: list[tuple[str, str | None]]) -> tuple[list[tuple[str, str, bool]], Any]:
    row = one_row(spark, salt="pepper", **{f"v{number}": value for number, (_, value) in enumerate(pairs)})
    named = [(name, F.col(f"v{number}")) for number, (name, _) in enumerate(pairs)]
    found = row.select("salt", identifiers_column(named, CONFIG, F.col("salt")).alias("identifiers"))
    listed, primary = found.select("identifiers", primary_identifier(F.col("identifiers"))).first()
    value_of = {item.identifier_id: item.value for item in listed}
    return [(item.namespace, item.value, item.blocked is not None) for item in listed], value_of.get(primary)


def test_identifiers_come_strongest_first_without_nulls_each_once(spark: SparkSession) -> None:
    given = [("cookie_id", "c"), ("email", "B@x"), ("crm_id", None), ("email", "a@x"), ("email", "b@x ")]
    listed, primary = identifiers(spark, given)
    assert listed == [("email", "a@x", False), ("email", "b@x", False), ("cookie_id", "c", False)]
    assert primary == "a@x"


def test_the_primary_identifier_is_the_strongest_that_is_not_blocked(spark: SparkSession) -> None:
    listed, primary = identifiers(spark, [("crm_id", "unknown"), ("phone", "000-000-0000"), ("cookie_id", "c")])
    assert listed == [("crm_id", "unknown", True), ("phone", "+10000000000", True), ("cookie_id", "c", False)]
    assert primary == "c"


@pytest.mark.parametrize("pairs", [[("email", None)], [("email", "unknown")], []])
def test_a_row_without_a_usable_identifier_is_about_nobody(spark: SparkSession, pairs: list[tuple[str, str | None]]) -> None:
    assert identifiers(spark, pairs)[1] is None


def test_an_undeclared_namespace_is_an_error() -> None:
    with pytest.raises(ValueError, match="namespace 'fax' is not declared; expected one of crm_id, email"):
        CONFIG.namespace("fax")
