"""Who is who on the sample, against its truth file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.tables.silver import IDENTITIES, IDENTITY_LINKS
from jobs.runtime.lake import fetch, open_lake
from jobs.sample.write_sample import write_sample
from tests.journeys.lakes import Place, make_place


def _pairs(counts: Counter[object]) -> int:
    return sum(number * (number - 1) // 2 for number in counts.values())


def precision_and_recall(profiles: pd.Series, persons: pd.Series) -> tuple[float, float]:
    """Of the pairs of identifiers in one profile, the share that is one person; and of the pairs of one person, the share
    that is in one profile."""
    both = _pairs(Counter(zip(profiles, persons, strict=True)))
    return both / max(_pairs(Counter(profiles)), 1), both / max(_pairs(Counter(persons)), 1)


@pytest.fixture(scope="module")
def resolved(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Forty days of a hundred and fifty households, up to who is who."""
    place = make_place(tmp_path_factory.mktemp("truth"))
    write_sample(place.landing, 40, 150)
    assert place.run("ingest-sources") == 0
    assert place.run("resolve-identities") == 0
    return place


def test_pairs_of_identifiers_agree_with_the_truth(resolved: Place) -> None:
    identities = fetch(None, open_lake(resolved.project().settings), IDENTITIES.name, ("namespace", "value", "profile_id"))
    truth = pd.read_csv(resolved.landing / "_truth" / "identifiers.csv", dtype=str)
    both = identities.to_pandas().merge(truth, on=["namespace", "value"])
    assert len(both) > 0.95 * len(truth)
    precision, recall = precision_and_recall(both["profile_id"], both["person"])
    assert precision >= 0.995
    assert recall >= 0.99


def test_a_shared_device_severs_a_link_and_says_which_limit_it_would_break(resolved: Place) -> None:
    links = fetch(None, open_lake(resolved.project().settings), IDENTITY_LINKS.name, ("severed",)).to_pandas()
    assert set(links["severed"].dropna()) == {"limit:crm_id", "blocked_value", "blocked_pattern"}


def test_no_profile_is_over_a_limit(resolved: Place) -> None:
    identity = resolved.project().identity
    held = fetch(None, open_lake(resolved.project().settings), IDENTITIES.name, ("namespace", "profile_id")).to_pandas()
    assert held.groupby("profile_id").size().max() <= identity.max_identifiers_per_profile
    for namespace in identity.namespaces:
        mine = held[held["namespace"] == namespace.name].groupby("profile_id").size()
        assert mine.empty or mine.max() <= (namespace.max_per_profile or identity.max_identifiers_per_profile)


def test_the_log_of_no_table_spells_an_identifier(resolved: Place) -> None:
    truth = pd.read_csv(resolved.landing / "_truth" / "identifiers.csv", dtype=str)
    emails = truth.loc[truth["namespace"] == "email", "value"].head(50).tolist()
    logs = "".join(path.read_text() for path in Path(resolved.lake).rglob("_delta_log/*.json"))
    assert emails
    assert [email for email in emails if email in logs] == []
