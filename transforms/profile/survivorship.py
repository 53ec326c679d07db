"""Merge policies: which of the told values makes an attribute, and where it came from.

A profile's records are gathered in one row, and each attribute is decided within it: one shuffle, whatever the number of
attributes. A policy is a whole number for every value, the smaller the better; the smallest wins, and what is equal is
decided by the fall-back, then by the later time, then by source and text, so that the order of arrival never decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.profile import Attribute, ProfileConfig
from conf.tables.silver import profile_attributes_table
from transforms.profile.days import is_within


def surviving_attributes(records: DataFrame, identities: DataFrame, profile: ProfileConfig, as_of: date | None) -> DataFrame:
    """Records and identities -> one row per profile of which a value is known, in the contract of ``silver.profile_attributes``.

    An empty value is no value, or erases what was told before, as declared; a value that does not fit the attribute's
    type is none (:func:`unfit_values` counts these). ``as_of`` is the day that expiry counts from; None: nothing expires.
    """
    table = profile_attributes_table(profile)
    held = identities.select(F.col("identifier_id").alias("primary_identifier_id"), "profile_id")
    told = F.struct("source", F.col("primary_identifier_id").alias("who"), "observed_at", "attributes")
    gathered = records.join(held, "primary_identifier_id", "inner").groupBy("profile_id").agg(F.collect_list(told).alias("told"))
    decided = F.struct(*(_decide(a, as_of).alias(a.name) for a in profile.attributes), F.lit(True).alias("_"))
    # As an array that is empty where nothing is known: a filter on rows would be evaluated below the decisions, by
    # deciding everything once more, and again for each time that it names one.
    row = F.transform(F.array(decided), lambda decided: _row(profile, decided))
    rows = gathered.select("profile_id", F.inline(F.filter(row, lambda row: F.size(row["provenance"]) > 0)))
    return rows.select(*table.column_names)


def _row(profile: ProfileConfig, decided: Column) -> Column:
    """Values and provenance, from what was decided of each attribute."""
    values = [decided[a.name]["value"].alias(a.name) for a in profile.attributes]
    return F.struct(*values, _provenance(profile, decided).alias("provenance"))


def unfit_values(records: DataFrame, profile: ProfileConfig) -> DataFrame:
    """Records -> one row per source and attribute with values that do not fit the attribute's type, and how many.

    Empty values fit. Text fits always, so there are no rows where all attributes are strings.
    """
    typed = [attribute for attribute in profile.attributes if attribute.type != "string"]
    checked = [F.struct(F.lit(a.name).alias("attribute"), _is_unfit(a).alias("is_unfit")) for a in typed]
    nothing = F.expr("cast(array() as array<struct<attribute: string, is_unfit: boolean>>)")
    rows = records.select("source", F.inline(F.array(*checked) if checked else nothing))
    return rows.where("is_unfit").groupBy("source", "attribute").agg(F.count(F.lit(1)).alias("values"))


def _is_unfit(attribute: Attribute) -> Column:
    text = F.col("attributes")[attribute.name]
    return (F.trim(text) != "") & text.try_cast(attribute.type).isNull()


def _decide(attribute: Attribute, as_of: date | None) -> Column:
    """The value of an attribute with its provenance, from all that was told; null where no value counts."""

    def decide(entries: Column) -> Column:
        return F.when(F.size(entries) > 0, _let(_aid(attribute, entries), lambda aid: _decided(attribute, entries, aid)))

    return _let(_counting(attribute, as_of), decide)


def _counting(attribute: Attribute, as_of: date | None) -> Column:
    """The values of an attribute that count, as an array of entries: given, of its type, not expired and not erased."""

    def entry(told: Column) -> Column:
        text = told["attributes"][attribute.name]
        value = F.when(F.trim(text) != "", text.try_cast(attribute.type)).alias("value")
        return F.struct(*(told[name].alias(name) for name in ("source", "who", "observed_at")), text.alias("text"), value)

    entries = F.filter(F.transform("told", entry), lambda e: e["value"].isNotNull())
    days = attribute.valid_days
    if days is not None and as_of is not None:
        entries = F.filter(entries, lambda e: is_within(F.to_date(e["observed_at"]), days, as_of))
    if attribute.empty == "ignored":
        return entries
    empty = F.filter("told", lambda told: F.trim(told["attributes"][attribute.name]) == "")
    erased_at = F.array_max(F.transform(empty, lambda told: told["observed_at"]))
    return _let(erased_at, lambda at: F.filter(entries, lambda e: at.isNull() | (e["observed_at"] > at)))


def _decided(attribute: Attribute, entries: Column, aid: Column) -> Column:
    def with_value(best: Column) -> Column:
        if attribute.policy == "union":
            value = F.array_sort(F.array_distinct(F.transform(entries, lambda e: e["value"])))
        elif attribute.policy == "sum":
            value = _total(attribute, entries)
        else:
            value = best["value"]
        return F.struct(value.alias("value"), best["source"].alias("source"), (-best["later_first"]).alias("observed_micros"))

    return _let(F.array_min(F.transform(entries, lambda e: _ranked(attribute, aid, e))), with_value)


def _ranked(attribute: Attribute, aid: Column, entry: Column) -> Column:
    """An entry with what decides in front, in the order in which it decides."""
    return F.struct(
        _rank(attribute, attribute.policy, aid, entry).alias("rank"),
        _rank(attribute, attribute.fall_back, aid, entry).alias("fall_back_rank"),
        (-F.unix_micros(entry["observed_at"])).alias("later_first"),
        entry["source"].alias("source"),
        entry["text"].alias("text"),
        entry["value"].alias("value"),
    )


def _aid(attribute: Attribute, entries: Column) -> Column:
    """What ranking an entry needs to know of all of them: how often each value was told, the highest and the lowest."""
    policies = (attribute.policy, attribute.fall_back)
    values = F.transform(entries, lambda e: e["value"])
    nothing = F.lit(None)
    times = F.transform(F.array_distinct(values), lambda v: F.size(F.filter(entries, lambda e: e["value"] == v)))
    return F.struct(
        (F.map_from_arrays(F.array_distinct(values), times) if "most_frequent" in policies else nothing).alias("times"),
        (F.array_max(values) if "max" in policies else nothing).alias("max"),
        (F.array_min(values) if "min" in policies else nothing).alias("min"),
    )


def _rank(attribute: Attribute, policy: str, aid: Column, entry: Column) -> Column:
    """A whole number that is smaller the better the policy likes the entry; latest, union and sum leave it to time."""
    value = entry["value"]
    if policy == "earliest":
        rank = F.unix_micros(entry["observed_at"])
    elif policy == "most_frequent":
        rank = -aid["times"][value]
    elif policy == "longest":
        rank = -F.char_length(value)
    elif policy in ("max", "min"):
        rank = F.when(value == aid[policy], 0).otherwise(1)
    elif policy == "source_priority":
        place = F.array_position(F.array(*(F.lit(source) for source in attribute.sources)), entry["source"])
        rank = F.when(place == 0, F.lit(len(attribute.sources) + 1)).otherwise(place)
    else:
        rank = F.lit(0)
    return rank.cast("bigint")


def _total(attribute: Attribute, entries: Column) -> Column:
    """The sum over the latest value of each source and identifier: a record that repeats a balance adds nothing to it, and
    two cards in one profile add up. Null where the sum does not fit the type.
    """
    state = "struct<source: string, who: string, total: decimal(38,2)>"

    def by_teller(entry: Column) -> Column:
        later_first = (-F.unix_micros(entry["observed_at"])).alias("later_first")
        return F.struct(
            *(entry[n].alias(n) for n in ("source", "who")), later_first, *(entry[n].alias(n) for n in ("text", "value"))
        )

    def add(held: Column, entry: Column) -> Column:
        is_older = held["source"].eqNullSafe(entry["source"]) & held["who"].eqNullSafe(entry["who"])
        total = F.try_add(held["total"], entry["value"].cast("decimal(38,2)")).try_cast("decimal(38,2)")
        return F.when(is_older, held).otherwise(F.struct(entry["source"], entry["who"], total).cast(state))

    nothing = F.struct(F.lit(None), F.lit(None), F.lit(0)).cast(state)
    in_order = F.array_sort(F.transform(entries, by_teller))
    return F.aggregate(in_order, nothing, add, lambda held: held["total"]).try_cast(attribute.type)


def _let(value: Column, body: Callable[[Column], Column]) -> Column:
    """``body`` of ``value``, which is computed once. SQL has no name for an intermediate value inside an expression, and
    the optimizer would write it out at every use; what a lambda is called with is computed before it is called.
    """
    return F.element_at(F.transform(F.array(value), body), 1)


def _provenance(profile: ProfileConfig, decided: Column) -> Column:
    """For each attribute with a value: the source and the time of the value, of the latest one where many made it."""
    origins = [
        F.when(
            decided[a.name]["value"].isNotNull(),
            F.struct(
                F.lit(a.name).alias("attribute"),
                decided[a.name]["source"].alias("source"),
                F.timestamp_micros(decided[a.name]["observed_micros"]).alias("observed_at"),
            ),
        )
        for a in sorted(profile.attributes, key=lambda a: a.name)
    ]
    nothing = F.expr("cast(array() as array<struct<attribute: string, source: string, observed_at: timestamp>>)")
    return F.array_compact(F.array(*origins)) if origins else nothing
