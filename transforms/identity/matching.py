"""Records as matching compares them, and matches as the sightings that they become."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.identity import IdentityConfig
from conf.matching import MATCH_NAMESPACE, MatchingConfig
from conf.tables.silver import RECORD_MATCHES
from transforms.identity.links import LINK_ENDS
from transforms.identity.normalise import blocked_reason, identifier_id

MATCH_SOURCE = "match-records"
"""What ``sources`` of a match's links says."""


def comparable_records(records: DataFrame, config: IdentityConfig) -> DataFrame:
    """Records -> one row per primary identifier: ``identifier_id``, ``namespace``, ``value``, ``seen_at`` (its latest
    record), and of every attribute that is matched on the latest value that is one.

    Values are compared in lower case, with single blanks. What is blocked everywhere, or in the namespace ``match``, is no
    value. Of two values observed at one time the source, then the record decides. Nobody's records are left out.
    """
    assert config.matching is not None
    primary = F.get(F.filter("identifiers", lambda identifier: identifier["blocked"].isNull()), F.lit(0))
    told = records.where(F.col("primary_identifier_id").isNotNull()).select(
        primary.alias("about"),
        "observed_at",
        F.struct("observed_at", "source", "record_id").alias("at"),
        *(_comparable(F.col("attributes")[name], config).alias(name) for name in config.matching.attributes),
    )
    latest = [F.max_by(name, F.when(F.col(name).isNotNull(), F.col("at"))).alias(name) for name in config.matching.attributes]
    people = told.groupBy("about").agg(F.max("observed_at").alias("seen_at"), *latest)
    return people.select("about.identifier_id", "about.namespace", "about.value", "seen_at", *config.matching.attributes)


def _comparable(value: Column, config: IdentityConfig) -> Column:
    """The text as it is compared; null where it is none, or a placeholder."""
    text = F.lower(F.btrim(F.regexp_replace(value, r"[\s\u00a0]+", " ")))
    is_value = (text != "") & blocked_reason(text, config.namespace(MATCH_NAMESPACE), config).isNull()
    return F.when(is_value, text)


def sharing_a_block(people: DataFrame, changed: DataFrame, matching: MatchingConfig) -> DataFrame:
    """The rows of ``people`` that a changed one can be compared with, and the changed ones: those for which a rule of
    ``block_on`` holds between the two. ``changed`` names ``identifier_id``; has ``changed`` as a column, too.
    """
    is_changed = F.broadcast(changed.select("identifier_id").dropDuplicates().withColumn("changed", F.lit(True)))
    marked = people.join(is_changed, "identifier_id", "left").withColumn("changed", F.coalesce("changed", F.lit(False)))
    near = [
        marked.join(F.broadcast(marked.where("changed").select(*rule).dropDuplicates()), list(rule), "left_semi")
        for rule in matching.block_on
    ]
    ids = reduce(DataFrame.unionByName, [frame.select("identifier_id") for frame in near]).dropDuplicates()
    return marked.join(ids, "identifier_id", "left_semi")


def matches_of(scored: DataFrame, people: DataFrame, salt: DataFrame, model: str, config: IdentityConfig) -> DataFrame:
    """Scored pairs (``identifier_id``, ``other_identifier_id``, ``score``, ``evidence``) -> the contract of
    ``silver.record_matches``. ``salt``: one row, the lake's.
    """
    ends = people.select("identifier_id", "namespace", "value", "seen_at")
    others = ends.toDF("other_identifier_id", "other_namespace", "other_value", "other_seen_at")
    told = F.broadcast(scored).join(ends, "identifier_id", "inner").join(others, "other_identifier_id", "inner")
    match_id = identifier_id(config.namespace(MATCH_NAMESPACE), _match_value(), F.col("salt"))
    named = told.crossJoin(F.broadcast(salt)).withColumn("match_id", match_id).withColumn("model", F.lit(model))
    return named.select(*RECORD_MATCHES.column_names)


def about(matches: DataFrame, changed: DataFrame) -> DataFrame:
    """The matches of which one end, or both, are among the ``identifier_id`` of ``changed``."""
    ends = [
        matches.join(F.broadcast(changed.select(F.col("identifier_id").alias(end))), end, "left_semi")
        for end in ("identifier_id", "other_identifier_id")
    ]
    return ends[0].unionByName(ends[1]).dropDuplicates(list(RECORD_MATCHES.keys))


def _match_value() -> Column:
    """The value of a match as an identifier: the ids of its two ends, the smaller first."""
    return F.concat("identifier_id", F.lit("-"), "other_identifier_id")


def match_sightings(matches: DataFrame) -> DataFrame:
    """Matches -> one sighting per end, as :func:`transforms.identity.links.sightings` makes them of rows.

    Each end shows the match at the time of its own latest record, so that a match dates nobody: what is known of when an
    identifier was seen stays what its records and events say.
    """
    match = {"other_identifier_id": F.col("match_id"), "other_namespace": F.lit(MATCH_NAMESPACE), "other_value": _match_value()}
    one = {"identifier_id": "identifier_id", "namespace": "namespace", "value": "value", "seen_at": "seen_at"}
    other = {name: f"other_{name}" for name in one}
    ends = [
        matches.select(*(F.col(end[name]).alias(name) for name in one), *(column.alias(name) for name, column in match.items()))
        for end in (one, other)
    ]
    shown = ends[0].unionByName(ends[1])
    return shown.select(*LINK_ENDS, F.lit(None).cast("string").alias("blocked"), "seen_at", F.lit(MATCH_SOURCE).alias("source"))
