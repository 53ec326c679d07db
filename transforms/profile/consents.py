"""Consent by profile, channel and purpose: computed from what was told, like attributes, so that it follows every merge and
every split, and nobody's refusal is lost in either.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.consent import Consent
from conf.profile import ProfileConfig
from conf.tables.consents import CONSENTS
from transforms.profile.days import has_left, is_within

_WHAT = ("channel", "purpose")


def decide_consents(statements: DataFrame, identities: DataFrame, profile: ProfileConfig, as_of: date | None) -> DataFrame:
    """Statements (:func:`consent_statements`) and identities -> one row per profile, channel and purpose of which something
    was told, in the contract of ``silver.consents``. Statements of one moment: the refusal counts. ``as_of`` is the day that
    lapses count from; None: nothing lapses.
    """
    held = identities.select("identifier_id", "profile_id")
    last_word = F.max(F.struct("observed_at", (~F.col("is_given")).alias("is_refused"))).alias("last")
    told = statements.join(held, "identifier_id", "inner").groupBy("profile_id", *_WHAT, "source", "identifier_id").agg(last_word)
    words = told.select(
        "profile_id",
        *_WHAT,
        F.col("last")["observed_at"].alias("observed_at"),
        F.col("last")["is_refused"].alias("is_refused"),
        "source",
    )
    counting = words.where(F.col("is_refused") | ~_has_lapsed(profile, as_of))
    decided = counting.groupBy("profile_id", *_WHAT).agg(F.max(_weight(profile)).alias("word"))
    rows = decided.select(
        "profile_id",
        *_WHAT,
        (~F.col("word")["is_refused"]).alias("is_given"),
        F.col("word")["source"].alias("source"),
        F.col("word")["observed_at"].alias("observed_at"),
    )
    return rows.select(*CONSENTS.column_names)


def consent_statements(rows: DataFrame, time: str, profile: ProfileConfig) -> DataFrame:
    """Records or events, with the column of their time -> one row per declared consent that a row tells something of:
    ``identifier_id``, ``source``, ``observed_at``, ``channel``, ``purpose``, ``is_given``.
    """
    told = [
        F.struct(
            F.lit(consent.channel).alias("channel"),
            F.lit(consent.purpose).alias("purpose"),
            F.nullif(F.trim(F.col("attributes")[consent.attribute]), F.lit("")).alias("text"),
            F.array(*(F.lit(text) for text in consent.given)).alias("giving"),
        )
        for consent in profile.consents
    ]
    who = F.col("primary_identifier_id").alias("identifier_id")
    statements = rows.select(who, "source", F.col(time).alias("observed_at"), F.inline(F.array(*told)))
    is_given = F.array_contains("giving", F.lower("text")).alias("is_given")
    return statements.where(F.col("text").isNotNull()).select("identifier_id", "source", "observed_at", *_WHAT, is_given)


def lapsing_statements(statements: DataFrame, profile: ProfileConfig, before: date, as_of: date) -> DataFrame:
    """The statements that lapsed between the two days of ``as_of``."""
    day = F.to_date("observed_at")
    lapsed = F.lit(False)
    for consent in profile.consents:
        if consent.valid_days is not None:
            lapsed |= _is_of(consent) & has_left(day, consent.valid_days, before, as_of)
    return statements.where(lapsed)


def _is_of(consent: Consent) -> Column:
    return (F.col("channel") == consent.channel) & (F.col("purpose") == consent.purpose)


def _has_lapsed(profile: ProfileConfig, as_of: date | None) -> Column:
    lapsed = F.lit(False)
    for consent in profile.consents:
        if consent.valid_days is not None and as_of is not None:
            lapsed |= _is_of(consent) & ~is_within(F.to_date("observed_at"), consent.valid_days, as_of)
    return lapsed


def _weight(profile: ProfileConfig) -> Column:
    """A struct that is the greater the more a statement weighs: a refusal first where the policy is the most restrictive one,
    then the later one, then the refusal.
    """
    is_strict = F.lit(False)
    for consent in profile.consents:
        if consent.policy == "most_restrictive":
            is_strict |= _is_of(consent)
    return F.struct((is_strict & F.col("is_refused")).alias("decides"), "observed_at", "is_refused", "source")
