from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from conf.activity import STANDARD_COUNTS
from conf.identity import IdentityConfig
from conf.profile import ProfileConfig
from conf.tables.consents import CONSENTS
from conf.tables.contract import Table
from conf.tables.gold import RFM, RFM_SCORES, SEGMENT_ASSIGNMENTS, customer_360_table
from conf.tables.silver import IDENTITIES, profile_attributes_table
from transforms.profile.customer_360 import build_customer_360

IDENTITY = IdentityConfig.model_validate({"namespaces": [{"name": "email"}, {"name": "cookie", "kind": "browser"}]})
PROFILE = ProfileConfig.model_validate(
    {
        "attributes": [{"name": "city"}],
        "activity": [{"name": "views", "measure": "count", "windows": ["7d", "all"]}],
        "consents": [
            {"channel": "email", "purpose": "marketing", "attribute": "consent"},
            {"channel": "phone", "purpose": "marketing", "attribute": "calls"},
        ],
    }
)
TIME = datetime(2017, 1, 2, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def customers(spark: SparkSession) -> dict[str, Row]:
    """Ann has an e-mail address, two browsers, a match and purchases; a browser that nobody knows only looked around."""

    def frame(table: Table, *rows: dict[str, Any]) -> Any:
        from pyspark.sql import types as T

        schema = T.StructType([T.StructField(field.name, field.dataType) for field in table.schema])
        return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema)

    identities = frame(
        IDENTITIES,
        {"identifier_id": "e", "namespace": "email", "profile_id": "ann", "first_seen": TIME},
        {"identifier_id": "c1", "namespace": "cookie", "profile_id": "ann"},
        {"identifier_id": "c2", "namespace": "cookie", "profile_id": "ann"},
        {"identifier_id": "c3", "namespace": "cookie", "profile_id": "stranger"},
        {"identifier_id": "m1", "namespace": "match", "profile_id": "ann"},
        {"identifier_id": "m2", "namespace": "match", "profile_id": "cut off at both ends"},
    )
    attributes = frame(profile_attributes_table(PROFILE), {"profile_id": "ann", "city": "Bonn"})
    consents = frame(
        CONSENTS, {"profile_id": "ann", "channel": "email", "purpose": "marketing", "is_given": False, "source": "crm"}
    )
    counted = ("views_7d", "views", *(count.name for count in STANDARD_COUNTS))
    measures = spark.createDataFrame(
        [("ann", 1, 9, 12, 0, 9, 0, 0, 3), ("stranger", *(0 for _ in counted))],
        f"profile_id string, {', '.join(f'{name} bigint' for name in counted)}",
    )
    rfm = frame(RFM, {"profile_id": "ann", "purchases": 4, "frequency": 4})
    scores = frame(RFM_SCORES, {"profile_id": "ann", "rfm_cell": "5-4-2", "model_version": "3"})
    moved = {"previous_segment": "New", "reason": "customer moved", "model_version": "3"}
    assignments = frame(SEGMENT_ASSIGNMENTS, {"profile_id": "ann", "segment": "Loyal", "valid_from": TIME, **moved})
    built = build_customer_360(identities, attributes, consents, measures, rfm, scores, assignments, IDENTITY, PROFILE)
    assert built.columns == list(customer_360_table(PROFILE).column_names)
    return {row.profile_id: row for row in built.collect()}


def test_every_profile_is_one_row(customers: dict[str, Row]) -> None:
    assert sorted(customers) == ["ann", "stranger"]


def test_a_persons_identifier_makes_a_profile_known(customers: dict[str, Row]) -> None:
    assert {name: row.profile_type for name, row in customers.items()} == {"ann": "known", "stranger": "anonymous"}


def test_identifiers_are_counted_and_their_namespaces_named_once(customers: dict[str, Row]) -> None:
    assert (customers["ann"].identifiers, customers["ann"].identifier_namespaces) == (3, ["cookie", "email", "match"])


def test_a_match_that_holds_nobody_together_is_no_profile(customers: dict[str, Row]) -> None:
    assert "cut off at both ends" not in customers


def test_attributes_rfm_and_segment_are_joined(customers: dict[str, Row]) -> None:
    ann = customers["ann"]
    assert (ann.city, ann.purchases, ann.rfm_cell) == ("Bonn", 4, "5-4-2")
    told = (ann.segment, ann.previous_segment, ann.segment_reason, ann.segment_model_version)
    assert told == ("Loyal", "New", "customer moved", "3")


def test_who_never_bought_has_no_purchases(customers: dict[str, Row]) -> None:
    stranger = customers["stranger"]
    assert (stranger.purchases, stranger.segment, stranger.city) == (None, None, None)


def test_a_consent_is_given_refused_or_nobody_told(customers: dict[str, Row]) -> None:
    ann = customers["ann"]
    assert (ann.consent_email_marketing, ann.consent_phone_marketing) == (False, None)


def test_measures_are_joined_window_by_window_and_with_the_standard_counts(customers: dict[str, Row]) -> None:
    told = {name: (row.views_7d, row.views, row.events, row.calls, row.returns) for name, row in customers.items()}
    assert told == {"ann": (1, 9, 12, 3, 0), "stranger": (0, 0, 0, 0, 0)}
