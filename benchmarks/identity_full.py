"""From records to identities and golden profiles, everything at once: our two stages against DuckDB with Splink.

Ours: ``resolve-identities`` and ``build-attributes`` as ``c360 run`` runs them, on a lake whose ``silver.records`` is there;
they write links with reasons, identities, changes, and attributes with provenance, all as Delta with a change feed. The other
reads the same records from Parquet, clusters, takes each attribute's latest value, and writes two Parquet files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import CORES, DRIVER_MEMORY, contender, local_session, part, run
from benchmarks.drawn_records import ATTRIBUTES, RECORDS_A_PERSON, SEED, project, write_records
from benchmarks.harness import ROOT, Comparison
from benchmarks.partitions import digest_of, profiles_digest

if TYPE_CHECKING:
    from jobs.runtime.lake import Lake
    from jobs.runtime.stage import Run

NAME = "identity-full"
RECORDS = {"s": 10_000, "m": 100_000, "l": 1_000_000}
TODAY = datetime(2017, 12, 31, tzinfo=timezone.utc)


def comparison(size: str, cache: Path) -> Comparison:
    """Ours and the other over the records of a size, which are written into ``cache`` once."""
    data = _records(size, cache / f"identity-full-{size}").resolve()
    work = {"seed": SEED, "records": RECORDS[size], "cores": CORES, "driver_memory": DRIVER_MEMORY}
    contenders = [contender("benchmarks.identity_full", name, data, _found) for name in ("ours", "duckdb-splink")]
    return Comparison(NAME, size, work, "partition and profiles", tuple(contenders))


def _found(folder: Path) -> dict[str, Any]:
    return {**digest_of(folder / "identities"), "golden": profiles_digest(folder / "identities", folder / "golden", ATTRIBUTES)}


def _records(size: str, folder: Path) -> Path:
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # one that was interrupted
        persons = RECORDS[size] // RECORDS_A_PERSON
        write_records(folder / "records", range(RECORDS[size]), range(persons), persons)
        command = [sys.executable, "-m", "benchmarks.identity_full", "lake", str(folder), str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (folder / "done").touch()
    return folder


def write_lake(data: Path, target: Path) -> None:
    """A lake as ingest leaves it: records, and tables of events and decisions without a row."""
    from conf.tables.silver import EVENTS, IDENTITY_RULES
    from conf.tables.silver import RECORDS as TABLE
    from jobs.runtime.lake import Lake, append, ensure_table

    spark, lake = local_session(), Lake(str(target / "lake"))
    for table in (EVENTS, IDENTITY_RULES, TABLE):
        ensure_table(spark, lake, table)
    append(lake, TABLE, spark.read.parquet(str(data / "records")))


def run_on(lake: Lake) -> Run:
    """A run over the lake, with what it remembers of former ones."""
    from jobs.runtime.run_log import read_run_log
    from jobs.runtime.stage import Run

    spark = local_session()
    return Run(project(), lake, "bench", TODAY, read_run_log(spark, lake), lambda: spark, as_of=TODAY)


def build_ours(data: Path, target: Path) -> None:
    """Our two stages, over records that are only pointed at."""
    from jobs.build_profiles import attributes_stage
    from jobs.resolve_identities import resolve_stage
    from jobs.runtime.lake import Lake
    from jobs.runtime.stage import run_stage

    (target / "lake" / "silver").mkdir(parents=True)
    for table in (data / "lake" / "silver").iterdir():
        (target / "lake" / "silver" / table.name).symlink_to(table)
    with part("session"):
        now = run_on(Lake(str(target / "lake")))
    for stage in (resolve_stage(now.project), attributes_stage(now.project)):
        with part(stage.name):
            run_stage(now, stage)
    (target / "identities").symlink_to(target / "lake" / "silver" / "identities")
    (target / "golden").symlink_to(target / "lake" / "silver" / "profile_attributes")


def build_with_duckdb(data: Path, target: Path) -> None:
    """DuckDB for links and golden records, Splink for clusters."""
    import duckdb
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    connection = duckdb.connect(str(target / "duckdb.db"))
    connection.execute(f"set threads = {CORES}")
    with part("links"):
        records = f"read_parquet('{data}/records/*.parquet')"
        connection.execute(f"""
            create table seen as
            select primary_identifier_id as about, observed_at, unnest(identifiers, recursive := true) from {records}
        """)
        connection.execute(
            "create table edges as select distinct about as id_l, identifier_id as id_r from seen where id_l != id_r"
        )
        connection.execute("""
            create table nodes as select identifier_id as id, any_value(namespace) as namespace, any_value(value) as value,
            min(observed_at) as first_seen, max(observed_at) as last_seen, count(*) as times from seen group by identifier_id
        """)
    with part("cluster"):
        clusters = cluster_pairwise_predictions_at_threshold(
            "nodes", "edges", DuckDBAPI(connection), "id", "id_l", "id_r"
        ).physical_name
    with part("identities"):
        _write(connection, target / "identities", f"""
            select id as identifier_id, namespace, value, cluster_id as profile_id, first_seen, last_seen, times
            from nodes join (select id, cluster_id from {clusters}) using (id)
        """)  # fmt: skip
    with part("golden"):
        latest = ", ".join(f"arg_max(attributes['{name}'], observed_at) as {name}" for name in ATTRIBUTES)
        _write(connection, target / "golden", f"""
            select cluster_id as profile_id, {latest} from {records} join {clusters} c on c.id = primary_identifier_id
            group by cluster_id
        """)  # fmt: skip


def _write(connection: Any, folder: Path, query: str) -> None:
    folder.mkdir()
    connection.execute(f"copy ({query}) to '{folder}/part.parquet' (format parquet)")


if __name__ == "__main__":
    run({"lake": write_lake, "ours": build_ours, "duckdb-splink": build_with_duckdb})
