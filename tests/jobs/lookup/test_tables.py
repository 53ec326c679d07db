from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.tables.ops import ACCESS_LOG
from conf.tables.silver import EVENTS, IDENTITIES
from jobs.look_up_profile import EVENT_COLUMNS, Lookup, Reveal
from jobs.lookup.tables import CatalogueTables, FileTables, Row, one_of
from jobs.runtime.lake import Lake, ensure_table, table_name
from jobs.runtime.run_log import make_schemas
from tests.jobs.lookup.few_rows import ANA, CARD, COOKIE, PROJECT, few_rows


def test_a_catalogue_gives_the_same_rows_as_files(spark: SparkSession, tmp_path: Path) -> None:
    files = FileTables(str(few_rows(tmp_path)))
    lake = Lake(None, "spark_catalog", "c360_lookup_")
    make_schemas(spark, lake)
    copy = spark.read.format("delta").load(str(tmp_path / "silver" / "identities"))
    copy.write.format("delta").mode("overwrite").saveAsTable(table_name(lake, IDENTITIES.name))
    catalogue = CatalogueTables(spark, lake)
    question = (
        IDENTITIES.name,
        (*IDENTITIES.column_names, "score"),
        one_of("profile_id", [ANA]),
        "order by identifier_id limit 3",
    )
    assert catalogue.rows(*question) == files.rows(*question)
    assert catalogue.rows("gold.nothing", ("a",), "true") == []
    of_key = (IDENTITIES.name, question[1], "profile_id", [ANA])
    assert by_id(catalogue.rows_of(*of_key)) == by_id(files.rows_of(*of_key)) != []
    assert catalogue.rows_of("gold.nothing", ("a",), "a", [ANA]).to_pylist() == []


def by_id(rows: pa.Table) -> list[Row]:
    return sorted(rows.to_pylist(), key=lambda row: str(row["identifier_id"]))


def test_a_column_that_the_table_lacks_is_null_and_a_table_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    files = FileTables(str(few_rows(tmp_path)))
    assert files.rows(IDENTITIES.name, ("namespace", "score"), one_of("identifier_id", [ANA])) == [
        {"namespace": "crm_id", "score": None}
    ]
    assert files.rows("gold.nothing", ("a",), "true") == []
    assert files.rows_of("gold.nothing", ("a",), "a", [ANA]).to_pylist() == []


def test_marked_rows_are_gone_whether_files_are_read_by_key_or_by_the_query_engine(spark: SparkSession, tmp_path: Path) -> None:
    place, columns = str(few_rows(tmp_path)), ("event_id", "occurred_at", "score")

    def events() -> list[Row]:
        found = FileTables(place).rows_of(EVENTS.name, columns, "primary_identifier_id", [ANA, CARD, COOKIE])
        return found.sort_by("event_id").to_pylist()

    first, name = events(), f"delta.`{place}/silver/events`"
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    assert events() == first
    spark.sql(f"DELETE FROM {name} WHERE event_id = '{first[0]['event_id']}'")
    assert events() == first[1:] != []
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN source TO origin")
    assert events() == first[1:]


def test_the_last_rows_come_first(tmp_path: Path) -> None:
    condition, tail = one_of("primary_identifier_id", [ANA, CARD, COOKIE]), "order by occurred_at desc limit 2"
    rows = FileTables(str(few_rows(tmp_path))).rows(EVENTS.name, EVENT_COLUMNS, condition, tail)
    assert [row["event_id"] for row in rows] == ["e3", "e2"]


def test_the_access_log_that_is_made_without_a_session_fits_its_contract(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(str(few_rows(tmp_path)))
    Lookup(PROJECT, FileTables(str(tmp_path))).profile_of(ANA, reveal=Reveal("kim", "ticket 7"))
    ensure_table(spark, lake, ACCESS_LOG)
    made = spark.table(table_name(lake, ACCESS_LOG.name))
    assert [(f.name, f.dataType, f.metadata.get("comment")) for f in made.schema] == [
        (c.name, c.type, c.comment) for c in ACCESS_LOG.columns
    ]
