"""The customer 360: one row per profile, joined from what the other tables say of it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.consent import Consent
from conf.identity import IdentityConfig
from conf.matching import MATCH_NAMESPACE
from conf.profile import ProfileConfig
from conf.tables.gold import customer_360_table
from transforms.name_sets import set_of_names


def build_customer_360(
    identities: DataFrame,
    attributes: DataFrame,
    consents: DataFrame,
    measures: DataFrame,
    rfm: DataFrame,
    scores: DataFrame,
    assignments: DataFrame,
    identity: IdentityConfig,
    profile: ProfileConfig,
) -> DataFrame:
    """One row per profile among ``identities``, in the contract of ``gold.customer_360``.

    A match holds a profile's identifiers together and is none of them: one that is cut off at both ends is nobody.

    ``measures`` are of all these profiles; purchases and segment are null for one that never bought. ``assignments`` are the
    current ones.
    """
    table = customer_360_table(profile)
    graph = _identity_summary(identities, identity)
    segment = assignments.select(
        "profile_id",
        "segment",
        F.col("valid_from").alias("segment_since"),
        F.col("reason").alias("segment_reason"),
        "previous_segment",
        F.col("distance").alias("segment_distance"),
        F.col("model_version").alias("segment_model_version"),
    )
    joined = (
        graph.join(attributes.drop("provenance"), "profile_id", "left")
        .join(_consent_columns(consents, profile), "profile_id", "left")
        .join(measures, "profile_id", "left")
        .join(rfm, "profile_id", "left")
        .join(scores.drop("model_version"), "profile_id", "left")
        .join(segment, "profile_id", "left")
    )
    return joined.select(*table.column_names)


def _identity_summary(identities: DataFrame, identity: IdentityConfig) -> DataFrame:
    people = [namespace.name for namespace in identity.namespaces if namespace.kind == "person"]
    is_person = F.max(F.col("namespace").isin(people))
    summary = identities.groupBy("profile_id").agg(
        F.when(is_person, "known").otherwise("anonymous").alias("profile_type"),
        F.count_if(F.col("namespace") != MATCH_NAMESPACE).alias("identifiers"),
        set_of_names(F.col("namespace"), {*identity.ranks, MATCH_NAMESPACE}).alias("identifier_namespaces"),
        F.min("first_seen").alias("first_seen"),
        F.max("last_seen").alias("last_seen"),
    )
    return summary.where("identifiers > 0")


def _consent_columns(consents: DataFrame, profile: ProfileConfig) -> DataFrame:
    def column(consent: Consent) -> Column:
        is_it = (F.col("channel") == consent.channel) & (F.col("purpose") == consent.purpose)
        return F.max(F.when(is_it, F.col("is_given"))).alias(consent.column)

    told = [column(consent) for consent in profile.consents]
    return consents.groupBy("profile_id").agg(*told) if told else consents.select("profile_id").distinct()
