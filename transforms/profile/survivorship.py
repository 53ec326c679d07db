"""Merge policies: which of the told values makes an attribute, and where it came from.

A policy is a whole number for every value, the smaller the better; the smallest wins, and what is equal is decided by the
fall-back, then by the later time, then by source and text, so that the order of arrival never decides. Where that number
asks for nothing but the record itself, the attribute is a minimum over a profile's records; for the other attributes the
records are gathered in one row, and each is decided within it. It is one shuffle, whatever the number of attributes.
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
    best = {a.name: f"best_{a.name}" for a in profile.attributes if _ranks_alone(a)}
    gathered = [a for a in profile.attributes if a.name not in best]
    # Columns of their own, ahead of the aggregation: Spark compiles what it selects, and interprets what it collects.
    told = [_best(a, as_of).alias(best[a.name]) for a in profile.attributes if a.name in best]
    owned = records.join(held, "primary_identifier_id", "inner").select("profile_id", *told, _told(*gathered).alias("told"))
    smallest = [F.min(name).alias(name) for name in best.values()]
    rows = owned.groupBy("profile_id").agg(*smallest, *([] if best and not gathered else [F.collect_list("told").alias("told")]))
    values = {a.name: _of_best(F.col(best[a.name])) if a.name in best else _decide(a, as_of) for a in profile.attributes}
    decided = F.struct(*(value.alias(name) for name, value in values.items()), F.lit(True).alias("_"))
    # As an array that is empty where nothing is known: a filter on rows would be evaluated below the decisions, by
    # deciding everything once more, and again for each time that it names one.
    row = F.transform(F.array(decided), lambda decided: _row(profile, decided))
    rows = rows.select("profile_id", F.inline(F.filter(row, lambda row: F.size(row["provenance"]) > 0)))
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


def _told(*attributes: Attribute) -> Column:
    """What a record tells of some attributes: ``source``, ``who``, ``observed_at``, and in ``values`` of each attribute its
    ``value``, null where it is none; ``text`` where that may differ from it; ``is_empty`` where that means something.
    """

    def parts(attribute: Attribute) -> Column:
        text = F.col("attributes")[attribute.name]
        told = {"value": F.when(F.trim(text) != "", text.try_cast(attribute.type))}
        if attribute.type != "string":
            told["text"] = text
        if attribute.empty != "ignored":
            told["is_empty"] = F.trim(text) == ""
        return F.struct(*(part.alias(name) for name, part in told.items())).alias(attribute.name)

    values = F.struct(*map(parts, attributes), F.lit(True).alias("_")).alias("values")
    return F.struct("source", F.col("primary_identifier_id").alias("who"), "observed_at", values)


def _part(attribute: Attribute, entry: Column, name: str) -> Column:
    """A part of what an entry, made by :func:`_told`, tells of an attribute."""
    return entry["values"][attribute.name][name]


def _ranks_alone(attribute: Attribute) -> bool:
    """Whether a record is enough to tell how good its value is."""
    return {attribute.policy, attribute.fall_back}.isdisjoint(_ASKING) and attribute.empty == "ignored"


_ASKING = ("most_frequent", "max", "min", "union", "sum")
"""Policies that ask for the other values."""


def _best(attribute: Attribute, as_of: date | None) -> Column:
    """A record's ranked value of an attribute that ranks alone; null where it has none that counts."""
    told = _told(attribute)
    return F.when(_counts(attribute, as_of, told), _ranked(attribute, told))


def _of_best(best: Column, value: Column | None = None) -> Column:
    """A ranked entry as the value, or one that is made of many, and its provenance."""
    value = best["value"] if value is None else value
    return F.struct(value.alias("value"), best["source"].alias("source"), (-best["later_first"]).alias("observed_micros"))


def _decide(attribute: Attribute, as_of: date | None) -> Column:
    """The value of an attribute with its provenance, from all that was told; null where no value counts."""

    def decide(entries: Column) -> Column:
        return F.when(F.size(entries) > 0, _let(_aid(attribute, entries), lambda aid: _decided(attribute, entries, aid)))

    return _let(_counting(attribute, as_of), decide)


def _counting(attribute: Attribute, as_of: date | None) -> Column:
    """What was told that counts, as an array: values of the attribute that are not expired and not erased."""
    entries = F.filter("told", lambda entry: _counts(attribute, as_of, entry))
    if attribute.empty == "ignored":
        return entries
    empty = F.filter("told", lambda entry: _part(attribute, entry, "is_empty"))
    erased_at = F.array_max(F.transform(empty, lambda entry: entry["observed_at"]))
    return _let(erased_at, lambda at: F.filter(entries, lambda e: at.isNull() | (e["observed_at"] > at)))


def _counts(attribute: Attribute, as_of: date | None, entry: Column) -> Column:
    """Whether an entry has a value of the attribute's type that has not expired."""
    has_value, days = _part(attribute, entry, "value").isNotNull(), attribute.valid_days
    return has_value if days is None or as_of is None else has_value & is_within(F.to_date(entry["observed_at"]), days, as_of)


def _decided(attribute: Attribute, entries: Column, aid: Column) -> Column:
    def with_value(best: Column) -> Column:
        if attribute.policy == "union":
            return _of_best(best, F.array_sort(F.array_distinct(F.transform(entries, lambda e: _part(attribute, e, "value")))))
        return _of_best(best, _total(attribute, entries) if attribute.policy == "sum" else None)

    return _let(F.array_min(F.transform(entries, lambda e: _ranked(attribute, e, aid))), with_value)


def _ranked(attribute: Attribute, entry: Column, aid: Column | None = None) -> Column:
    """An entry with what decides in front, in the order in which it decides."""
    ranks = [_rank(attribute, policy, entry, aid) for policy in (attribute.policy, attribute.fall_back)]
    return F.struct(
        *(rank.cast("bigint").alias(f"rank_{place}") for place, rank in enumerate(ranks) if rank is not None),
        (-F.unix_micros(entry["observed_at"])).alias("later_first"),
        entry["source"].alias("source"),
        *_text_and_value(attribute, entry),
    )


def _text_and_value(attribute: Attribute, entry: Column) -> list[Column]:
    """What decides last between values that are told at one time; of a string, text and value are one."""
    names = ["value"] if attribute.type == "string" else ["text", "value"]
    return [_part(attribute, entry, name).alias(name) for name in names]


def _aid(attribute: Attribute, entries: Column) -> Column:
    """What ranking an entry needs to know of all of them: how often each value was told, the highest and the lowest."""
    policies = (attribute.policy, attribute.fall_back)
    values = F.transform(entries, lambda e: _part(attribute, e, "value"))
    nothing = F.lit(None)
    times = F.transform(F.array_distinct(values), lambda v: F.size(F.filter(values, lambda other: other == v)))
    return F.struct(
        (F.map_from_arrays(F.array_distinct(values), times) if "most_frequent" in policies else nothing).alias("times"),
        (F.array_max(values) if "max" in policies else nothing).alias("max"),
        (F.array_min(values) if "min" in policies else nothing).alias("min"),
    )


def _rank(attribute: Attribute, policy: str, entry: Column, aid: Column | None) -> Column | None:
    """A whole number that is smaller the better the policy likes the entry; None where it leaves that to time: latest, union
    and sum do. ``aid`` (:func:`_aid`) is there for policies that ask for the other values.
    """
    value = _part(attribute, entry, "value")
    if policy == "earliest":
        return F.unix_micros(entry["observed_at"])
    if policy == "longest":
        return -F.char_length(value)
    if policy == "source_priority":
        place = F.array_position(F.array(*(F.lit(source) for source in attribute.sources)), entry["source"])
        return F.when(place == 0, F.lit(len(attribute.sources) + 1)).otherwise(place)
    if aid is None or policy not in ("most_frequent", "max", "min"):
        return None
    return -aid["times"][value] if policy == "most_frequent" else F.when(value == aid[policy], 0).otherwise(1)


def _total(attribute: Attribute, entries: Column) -> Column:
    """The sum over the latest value of each source and identifier: a record that repeats a balance adds nothing to it, and
    two cards in one profile add up. Null where the sum does not fit the type.
    """
    state = "struct<source: string, who: string, total: decimal(38,2)>"

    def by_teller(entry: Column) -> Column:
        later_first = (-F.unix_micros(entry["observed_at"])).alias("later_first")
        return F.struct(*(entry[n].alias(n) for n in ("source", "who")), later_first, *_text_and_value(attribute, entry))

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
