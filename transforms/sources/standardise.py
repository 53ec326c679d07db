"""From bronze rows to the standard schema: what the mapping makes of a row, and every reason to refuse it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from conf.expressions import parse_expression
from conf.identity import IdentityConfig
from conf.segments import MARGIN, Currency
from conf.source import Source
from conf.tables.contract import Table
from conf.tables.silver import EVENTS, MONEY, QUARANTINE, RECORDS
from transforms.identity.normalise import identifiers_column, primary_identifier
from transforms.quality.reasons import failed, reasons_of
from transforms.sources.raw import SALT, raw_column_names

_ID = {"events": "event_id", "records": "record_id"}
_TIME = {"events": "occurred_at", "records": "observed_at"}


def contract_of(source: Source) -> Table:
    """The silver table that a source's accepted rows go to."""
    return EVENTS if source.kind == "events" else RECORDS


def standardise(
    rows: DataFrame,
    source: Source,
    identity: IdentityConfig,
    future_tolerance_seconds: int,
    currency: Currency | None = None,
) -> DataFrame:
    """Bronze rows of one source, each in the standard schema with its list of ``reasons``; same grain.

    ``rows`` also has the column ``_salt``. A row with an empty list is accepted, any other waits in quarantine. A value
    that a mapping cannot make is null and gives a reason; nothing raises on data. Money is decimal(18,2), in the declared
    ``currency`` where there is one, else as it comes; times are UTC.
    """
    table = contract_of(source)
    expressions = source.expressions()
    kept = [F.col(name) for name in ("_row_hash", "_row_ordinal", "_source_file", "_ingested_at", "_unparsed")]
    rate = _rate(source, currency)
    mapped = {name: _mapped(table, source, name) for name in source.standard_columns}
    if "revenue" in mapped:
        mapped["revenue"] = _in_own_currency(mapped["revenue"], rate)
    checks = [
        failed(f"cannot_parse:{name}", [F.expr(check) for check in expression.checks] + _fits(table, name, expression.sql))
        for name, expression in expressions.items()
    ]
    identifiers = identifiers_column(
        [(item.namespace, F.expr(parse_expression(item.value).sql)) for item in source.identifiers],
        identity,
        F.col(SALT),
    )
    standard = rows.select(
        *kept,
        *(column.alias(name) for name, column in mapped.items()),
        _attributes(source, rate).alias("attributes"),
        identifiers.alias("identifiers"),
        F.array(*checks, *_money_checks(table, source, rate)).alias("_checks"),
        F.to_json(F.struct(*(F.col(f"`{name}`") for name in sorted(raw_column_names(rows.columns))))).alias("raw_row"),
    )
    return _with_reasons(standard, source, future_tolerance_seconds)


def accepted(standardised: DataFrame, source: Source) -> DataFrame:
    """The accepted rows in the contract of the source's silver table."""
    table = contract_of(source)
    time = _TIME[source.kind]
    rows = standardised.where(F.size("reasons") == 0)
    if source.kind == "events":
        rows = rows.withColumn("occurred_on", F.to_date(time))
    rows = rows.withColumn("source", F.lit(source.source)).withColumn(
        "primary_identifier_id", primary_identifier(F.col("identifiers"))
    )
    rows = rows.withColumnsRenamed({"_row_hash": "row_hash", "_row_ordinal": "row_ordinal"})
    return rows.select(*table.column_names)


def quarantined(standardised: DataFrame, source: Source) -> DataFrame:
    """The refused rows, whole, in the contract of ``silver.quarantine``."""
    rows = standardised.where(F.size("reasons") > 0).select(
        F.lit(source.source).alias("source"),
        F.col("_row_hash").alias("row_hash"),
        F.col("_row_ordinal").alias("row_ordinal"),
        F.col("_source_file").alias("source_file"),
        "raw_row",
        "reasons",
    )
    return rows.select(*QUARANTINE.column_names)


def winning_versions(accepted_rows: DataFrame, source: Source) -> DataFrame:
    """One accepted row per id: of several with one id, the highest version, then the highest row key, which makes the
    choice the same in any order of arrival.

    ``accepted_rows`` are read three times: hand over written rows. Most ids stand alone; only rows of the others, found
    by a look at the ids, are sorted. A row that is its own event has no rival.
    """
    key = _ID[source.kind]
    if key not in source.maps:
        return accepted_rows
    ids = accepted_rows.groupBy(key).count()
    rivals = F.broadcast(ids.where(F.col("count") > 1).select(key))
    best_first = [F.col(name).desc_nulls_last() for name in ("version", "row_hash", "row_ordinal")]
    rank = F.row_number().over(Window.partitionBy(key).orderBy(*best_first))
    best = accepted_rows.join(rivals, key, "left_semi").withColumn("_rank", rank).where(F.col("_rank") == 1)
    alone = accepted_rows.join(rivals, key, "left_anti")
    return alone.unionByName(best.drop("_rank"))


WINS_OVER_TARGET = (
    "named_struct('v', coalesce(s.version, -9223372036854775808L), 'h', s.row_hash, 'o', s.row_ordinal) >= "
    "named_struct('v', coalesce(t.version, -9223372036854775808L), 'h', t.row_hash, 'o', t.row_ordinal)"
)
"""SQL: the rule of :func:`winning_versions` between an arriving row ``s`` and the row ``t`` that is there."""


def _mapped(table: Table, source: Source, name: str) -> Column:
    kind = table.schema[name].dataType
    if name in source.maps:
        return F.expr(f"try_cast({parse_expression(source.maps[name]).sql} as {kind.simpleString()})")
    if name == _ID[source.kind]:  # the row is its own event: its key is the id
        return F.concat_ws("-", "_row_hash", "_row_ordinal")
    return F.lit(None).cast(kind)


def _rate(source: Source, currency: Currency | None) -> Column | None:
    """What a unit of a row's currency is worth in the lake's own; null without a rate. None where nothing is converted: a
    record has no money, and what it maps as ``currency`` is an attribute.
    """
    if currency is None or source.kind != "events" or "currency" not in source.maps:
        return None
    told = F.upper(F.trim(F.expr(f"cast({parse_expression(source.maps['currency']).sql} as string)")))
    rate = F.when(told.isNull() | told.isin("", currency.name), F.lit(Decimal(1)))
    for name, value in sorted(currency.rates.items()):
        rate = rate.when(told == name, F.lit(value))
    return rate


def _in_own_currency(money: Column, rate: Column | None) -> Column:
    return money if rate is None else F.when(rate == 1, money).otherwise((money * rate).try_cast(MONEY))


def _money_checks(table: Table, source: Source, rate: Column | None) -> list[Column]:
    """Money has to have a rate, and to fit its type when it is converted; a row without money needs neither."""
    if rate is None:
        return []
    amounts = {"revenue": _mapped(table, source, "revenue")}
    amounts |= {MARGIN: _attribute(source, MARGIN).try_cast(MONEY)} if MARGIN in source.maps else {}
    checks = [failed("no_rate_of_currency", [rate.isNotNull() | F.coalesce(*amounts.values()).isNull()])]
    for name, money in amounts.items():
        fits = rate.isNull() | money.isNull() | _in_own_currency(money, rate).isNotNull()
        checks.append(failed(f"cannot_parse:{name}", [fits]))
    return checks


def _fits(table: Table, name: str, sql: str) -> list[Column]:
    """What the mapping made must fit the contract's type; text always does."""
    if name not in table.column_names or isinstance(table.schema[name].dataType, T.StringType):
        return []
    kind = table.schema[name].dataType.simpleString()
    return [F.expr(f"({sql}) is null or try_cast({sql} as {kind}) is not null")]


def _attribute(source: Source, name: str) -> Column:
    return F.expr(f"cast({parse_expression(source.maps[name]).sql} as string)")


def _attributes(source: Source, rate: Column | None) -> Column:
    """Mapped values beyond the standard schema as a map of text, by name in a fixed order, without nulls."""
    if not source.attribute_names:
        return F.expr("cast(map() as map<string, string>)")
    entries = []
    for name in source.attribute_names:
        value = _attribute(source, name)
        if name == MARGIN and rate is not None:  # what is no money stays as it was told
            money = value.try_cast(MONEY)
            is_as_told = (rate == 1) | money.isNull()
            value = F.when(is_as_told, value).otherwise(_in_own_currency(money, rate).cast("string"))
        entries.append(F.when(value.isNotNull(), F.struct(F.lit(name), value)))
    return F.map_from_entries(F.array_compact(F.array(*entries)))


def _with_reasons(standard: DataFrame, source: Source, tolerance_seconds: int) -> DataFrame:
    time = F.col(_TIME[source.kind])
    latest_believable = F.col("_ingested_at") + F.make_dt_interval(secs=F.lit(tolerance_seconds))
    built_in: list[tuple[str, Callable[[], Column]]] = [
        ("no_time", time.isNotNull),
        ("in_the_future", lambda: time.isNull() | (time <= latest_believable)),
        ("no_id", lambda: F.col(_ID[source.kind]).isNotNull()),
    ]
    if source.kind == "events":
        built_in.append(("no_event_type", lambda: F.col("event_type").isNotNull()))
    checks = [failed(name, [check()]) for name, check in built_in]
    checks += [failed(item.name, [F.expr(item.expression.sql)]) for item in source.expect]
    told = standard.withColumn("reasons", reasons_of(F.col("_unparsed"), F.col("_checks"), F.array(*checks)))
    raw_row = F.when(F.size("reasons") > 0, F.coalesce("_unparsed", "raw_row"))
    return told.withColumn("raw_row", raw_row).drop("_checks", "_unparsed", "_ingested_at")
