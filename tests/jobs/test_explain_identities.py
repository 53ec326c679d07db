"""``c360 explain`` on a lake of literal rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conf.tables.silver import IDENTITIES, IDENTITY_LINKS, RECORD_MATCHES
from jobs import cli
from jobs.runtime.lake import append_to_files
from tests.jobs.lookup.few_rows import few_rows, identity, link, row, the_id

EVE, EVA, MATCH = "eve@example.com", "eva@example.org", "f" * 32
EVIDENCE = [{"attribute": "surname", "weight": 6.25}, {"attribute": "city", "weight": -0.5}]


def test_a_match_is_explained_by_score_and_evidence_and_by_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, profile = few_rows(tmp_path), the_id("email", EVE)
    matched = {"other_identifier_id": MATCH, "other_namespace": "match", "sources": ["match-records"]}
    links = [link(("email", end), ("email", end)) | matched for end in (EVE, EVA)]
    append_to_files(f"{lake}/silver/identity_links", IDENTITY_LINKS, links)
    append_to_files(f"{lake}/silver/identities", IDENTITIES, [identity("email", end, profile, "linked") for end in (EVE, EVA)])
    member = row(IDENTITIES, identifier_id=MATCH, namespace="match", value="both", component_id=profile, profile_id=profile)
    append_to_files(f"{lake}/silver/identities", IDENTITIES, [member])
    told = {"match_id": MATCH, "score": 0.98765, "evidence": EVIDENCE, "model": "m1"}
    append_to_files(f"{lake}/silver/record_matches", RECORD_MATCHES, [row(RECORD_MATCHES, **told)])
    asked = ["explain", f"email:{EVE}", f"email:{EVA}", "--lake", str(lake)]
    assert cli.main([*asked, "--json"]) == 0
    chain = json.loads(capsys.readouterr().out)["chain"]
    assert [step["match"] for step in chain] == [{"score": 0.98765, "evidence": EVIDENCE, "model": "m1"}] * 2
    assert cli.main(asked) == 0
    text = capsys.readouterr().out
    assert "score 0.9877 by m1: surname +6.2, city -0.5" in text
    assert "first in" not in text
