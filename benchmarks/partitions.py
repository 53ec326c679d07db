"""A partition of identifiers in a few numbers, so that contenders which name their groups differently can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def digest_of(folder: Path) -> dict[str, Any]:
    """How many identifiers and profiles a Delta table or a folder of Parquet files holds, and a digest of who is with whom.

    Each identifier counts with the smallest one of its profile, whatever the profile is called; the order is of no account.
    """
    import duckdb

    files = ", ".join(f"'{file}'" for file in files_of(folder))
    query = f"""
        with held as (select identifier_id, profile_id from read_parquet([{files}])),
        named as (select profile_id, min(identifier_id) as first from held group by profile_id)
        select count(*), (select count(*) from named), sum(hash(identifier_id, first)::hugeint)::varchar
        from held join named using (profile_id)
    """
    identifiers, profiles, digest = duckdb.sql(query).fetchall()[0]
    return {"identifiers": identifiers, "profiles": profiles, "digest": digest}


def files_of(folder: Path) -> list[str]:
    """The current files of a Delta table, or all Parquet files of a folder."""
    if not (folder / "_delta_log").is_dir():
        return sorted(str(path) for path in folder.glob("*.parquet"))
    from deltalake import DeltaTable

    return sorted(DeltaTable(str(folder)).file_uris())


def profiles_digest(identities: Path, golden: Path, attributes: tuple[str, ...]) -> str:
    """A digest of golden profiles by the smallest identifier of each, whatever the profiles are called."""
    import duckdb

    files, profiles = (", ".join(f"'{file}'" for file in files_of(folder)) for folder in (identities, golden))
    query = f"""
        with named as (
            select profile_id, min(identifier_id) as first from read_parquet([{files}]) group by profile_id
        )
        select sum(hash(first, {", ".join(attributes)})::hugeint)::varchar
        from read_parquet([{profiles}]) join named using (profile_id)
    """
    return str(duckdb.sql(query).fetchall()[0][0])
