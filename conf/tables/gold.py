"""Gold contracts: RFM, segment assignments and the customer 360."""

from __future__ import annotations

from pyspark.sql import types as T

from conf.profile import ProfileConfig
from conf.tables.consents import consent_columns
from conf.tables.contract import LOOKED_UP, Column, Table
from conf.tables.measures import measure_columns
from conf.tables.silver import DAY, LONG, MONEY, QUANTITY, STRING, TIME, attribute_columns

_NUMBERS = (
    Column("first_purchase_at", TIME, "First purchase of all (UTC); tenure is derived from it", "indirect"),
    Column("last_purchase_at", TIME, "Last purchase (UTC); recency is derived from it where it is read", "indirect"),
    Column("purchases", LONG, "Orders with a positive total, in the window of conf/segments.yml", "indirect"),
    Column("purchase_days", LONG, "Days with a purchase, in the window", "indirect"),
    Column("units", QUANTITY, "Units bought, in the window", "indirect"),
    Column("revenue", MONEY, "Money of purchases in the window, less returns where they are netted", "indirect"),
)
_RFM = (
    Column("frequency", LONG, "Purchases or purchase days, as conf/segments.yml says", "indirect"),
    Column("monetary", MONEY, "Total, mean or margin, as conf/segments.yml says", "indirect"),
)

RFM = Table(
    name="gold.rfm",
    comment="One row per profile with at least one purchase: recency (as the last purchase), frequency, monetary value",
    columns=(Column("profile_id", STRING, "Profile", "indirect", False), *_NUMBERS, *_RFM),
    keys=("profile_id",),
    cluster_by=("profile_id",),
    file_mib=LOOKED_UP,
)

_SCORES = (
    Column("recency_score", T.IntegerType(), "Score of recency, 1 to 5 unless declared otherwise: high is recent", "indirect"),
    Column("frequency_score", T.IntegerType(), "Score of frequency: high is often", "indirect"),
    Column("monetary_score", T.IntegerType(), "Score of monetary value: high is much", "indirect"),
    Column("rfm_cell", STRING, "The three scores, recency first: 5-4-5", "indirect"),
)

RFM_SCORES = Table(
    name="gold.rfm_scores",
    comment="One row per profile with at least one purchase: its scores, by the cut points that the champion was trained with",
    columns=(
        Column("profile_id", STRING, "Profile", "indirect", False),
        *_SCORES,
        Column("model_version", STRING, "Version of the registered model whose cut points they are", "none", False),
    ),
    keys=("profile_id",),
    cluster_by=("profile_id",),
    file_mib=LOOKED_UP,
)

SEGMENT_ASSIGNMENTS = Table(
    name="gold.segment_assignments",
    comment="One row per profile and validity interval: which segment it was in, by which model, and why it changed",
    columns=(
        Column("profile_id", STRING, "Profile", "indirect", False),
        Column("valid_from", TIME, "as_of from which it holds (UTC)", "none", False),
        Column("valid_to", TIME, "as_of from which it no longer holds (UTC); null while current", "none"),
        Column("is_current", T.BooleanType(), "True for the row that holds now", "none", False),
        Column("segment", STRING, "Segment", "indirect", False),
        Column("previous_segment", STRING, "Segment before; null for the first", "indirect"),
        Column("model_version", STRING, "Version of the registered model that assigned it", "none", False),
        Column("distance", T.DoubleType(), "Distance to the centre of its cluster, in scaled features", "indirect"),
        Column("reason", STRING, "first, customer moved, model changed", "none"),
        Column(
            "closed_because",
            STRING,
            "moved, model changed, no purchases, or merged away (it goes on under another id); null while current",
            "none",
        ),
    ),
    keys=("profile_id", "valid_from", "model_version"),
    cluster_by=("profile_id",),
    file_mib=LOOKED_UP,
    history=True,
)

PURCHASE_PREDICTIONS = Table(
    name="gold.purchase_predictions",
    comment="One row per profile with a purchase: what is expected of it in the next 90 days",
    columns=(
        Column("profile_id", STRING, "Profile", "indirect", False),
        Column("probability_alive", T.DecimalType(4, 3), "Chance that it has not stopped buying for good", "indirect"),
        Column("expected_purchases_90d", QUANTITY, "Purchase days expected in the next 90 days", "indirect"),
        Column("expected_purchase_value", MONEY, "Money expected of one purchase day", "indirect"),
        Column("expected_value_90d", MONEY, "Money expected in the next 90 days", "indirect"),
        Column("model_version", STRING, "Version of the parameters, in ops.model_parameters", "none", False),
        Column("holds_since", DAY, "Day of as_of since which these numbers hold; they hold today as well", "indirect", False),
    ),
    keys=("profile_id",),
    cluster_by=("profile_id",),
)


def customer_360_table(profile: ProfileConfig) -> Table:
    """``gold.customer_360``: one row per profile, known or anonymous, with the declared attributes."""
    return Table(
        name="gold.customer_360",
        comment="One row per profile: attributes, identities, activity, RFM and segment, joined from the tables above",
        columns=(
            Column("profile_id", STRING, "Profile", "indirect", False),
            Column("profile_type", STRING, "known (a person's identifier is linked) or anonymous", "none"),
            *attribute_columns(profile),
            *consent_columns(profile),
            Column("identifiers", LONG, "How many identifiers it has", "indirect"),
            Column("identifier_namespaces", T.ArrayType(STRING), "Namespaces of its identifiers, sorted", "indirect"),
            Column("first_seen", TIME, "First record or event (UTC)", "indirect"),
            Column("last_seen", TIME, "Last record or event (UTC)", "indirect"),
            Column("events", LONG, "Events of any type", "indirect"),
            Column("returns", LONG, "Return events", "indirect"),
            Column("product_views", LONG, "product_view events", "indirect"),
            Column("add_to_carts", LONG, "add_to_cart events", "indirect"),
            Column("app_opens", LONG, "app_open events", "indirect"),
            Column("calls", LONG, "call events", "indirect"),
            *measure_columns(profile),
            *_NUMBERS,
            *_RFM,
            *_SCORES,
            Column("segment", STRING, "Current segment; null without purchases", "indirect"),
            Column("segment_since", TIME, "as_of since which the segment holds (UTC)", "indirect"),
            Column("segment_reason", STRING, "Why it holds since then: first, customer moved, model changed", "none"),
            Column("previous_segment", STRING, "Segment before; null for the first", "indirect"),
            Column("segment_distance", T.DoubleType(), "Distance to the centre of its cluster when it was assigned", "indirect"),
            Column("segment_model_version", STRING, "Model version that assigned it", "none"),
        ),
        keys=("profile_id",),
        cluster_by=("profile_id",),
        file_mib=LOOKED_UP,
        deletion_vectors=True,  # it is wide, and a day changes few of its rows
    )
