"""Contracts that the declared consents make."""

from __future__ import annotations

from pyspark.sql import types as T

from conf.profile import ProfileConfig
from conf.tables.contract import LOOKED_UP, Column, Table
from conf.tables.silver import STRING, TIME

CONSENTS = Table(
    name="silver.consents",
    comment="One row per profile, channel and purpose that somebody told of: whether consent is given, and who says so",
    columns=(
        Column("profile_id", STRING, "Profile", "indirect", False),
        Column("channel", STRING, "Channel: email, phone, …", "none", False),
        Column("purpose", STRING, "Purpose: marketing, analytics, …", "none", False),
        Column("is_given", T.BooleanType(), "True: given; false: refused", "indirect", False),
        Column("source", STRING, "Source of the statement that decides", "none"),
        Column("observed_at", TIME, "When that statement was made (UTC)", "indirect"),
    ),
    keys=("profile_id", "channel", "purpose"),
    cluster_by=("profile_id",),
    file_mib=LOOKED_UP,
)


def consent_columns(profile: ProfileConfig) -> tuple[Column, ...]:
    """A column of the customer 360 for each declared consent."""
    return tuple(
        Column(
            consent.column,
            T.BooleanType(),
            consent.comment or f"Consent to {consent.purpose} by {consent.channel}: given, refused, or null where nobody told",
            "indirect",
        )
        for consent in profile.consents
    )
