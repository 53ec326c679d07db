"""What figures rest on: contenders agree before they are timed, take turns, and are measured with all processes."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness import Comparison, ComparisonError, Contender, compare, report_text, write_report

HOLD_100_MIB = "import time; held = bytearray(b'x') * (100 * 2**20); time.sleep(0.5)"


def test_the_report_has_work_figures_and_ratios_and_stands_in_a_file(tmp_path: Path) -> None:
    report = _compare(tmp_path, _contender(tmp_path, "ours", 7), _contender(tmp_path, "peer", 7))
    assert json.loads((tmp_path / "results" / "trivial-s.json").read_text()) == report
    assert list(report) == ["name", "size", "machine", "work", "contenders", "ratios"]
    assert report["work"] == {"seed": 1, "rows": 7, "runs": 2}
    assert {tuple(figures) for figures in report["contenders"].values()} == {("median_s", "min_s", "max_s", "peak_mib")}
    assert list(report["ratios"]) == ["ours/peer"]
    assert "peer" in report_text(report)


def test_contenders_are_checked_first_and_then_take_turns(tmp_path: Path) -> None:
    _compare(tmp_path, _contender(tmp_path, "ours", 7), _contender(tmp_path, "peer", 7))
    assert _started(tmp_path) == ["ours", "peer", "ours", "peer", "peer", "ours"]


def test_unequal_results_stop_before_anything_is_timed(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match=r"Nothing was timed.* rows differ .ours: 7; peer: 8"):
        _compare(tmp_path, _contender(tmp_path, "ours", 7), _contender(tmp_path, "peer", 8))
    assert _started(tmp_path) == ["ours", "peer"]
    assert not (tmp_path / "results").exists()


def test_results_may_agree_without_being_equal_and_the_report_has_ours(tmp_path: Path) -> None:
    contenders = (_contender(tmp_path, "ours", 7), _contender(tmp_path, "peer", 8))
    nearly = Comparison("trivial", "s", {}, "rows", contenders, agree=lambda one, other: abs(one - other) <= 1)
    assert compare(nearly, 1, tmp_path / "scratch", tmp_path / "results")["work"]["rows"] == 7


def test_what_is_no_number_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report({"name": "trivial", "size": "s", "work": {"inertia": math.inf}}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_contender_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="peer ended with exit code 1: no such luck"):
        _compare(tmp_path, _contender(tmp_path, "ours", 7), _contender(tmp_path, "peer", 7, "exit('no such luck')"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="memory is sampled from /proc")
def test_the_memory_of_a_child_process_counts(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD_100_MIB!r}], check=True)"
    report = _compare(tmp_path, _contender(tmp_path, "ours", 7, child), _contender(tmp_path, "peer", 7))
    assert report["contenders"]["ours"]["peak_mib"] > 100 > report["contenders"]["peer"]["peak_mib"]


def test_parts_are_reported_with_what_they_leave_of_the_whole(tmp_path: Path) -> None:
    ours = _contender(tmp_path, "ours", 7, "print(0.001)", parts=True)
    report = _compare(tmp_path, ours, _contender(tmp_path, "peer", 7))
    parts = report["work"]["seconds_by_part"]
    assert list(parts) == ["ours"]
    assert parts["ours"]["read"] == 0.001
    assert parts["ours"]["(the rest)"] > 0
    assert "ours, part by part" in report_text(report)


def test_what_a_contender_measures_itself_stands_beside_its_seconds(tmp_path: Path) -> None:
    ours, peer = (replace(_contender(tmp_path, n, 7, "print(12.5)"), figures=_printed) for n in ("ours", "peer"))
    report = _compare(tmp_path, ours, peer)
    assert [figures["p95_ms"] for figures in report["contenders"].values()] == [12.5, 12.5]
    assert "p95 ms" in report_text(report)


def _printed(text: str) -> dict[str, float]:
    return {"p95_ms": float(text)}


def _compare(folder: Path, *contenders: Contender) -> dict:
    comparison = Comparison("trivial", "s", {"seed": 1}, "rows", contenders)
    return compare(comparison, 2, folder / "scratch", folder / "results")


def _contender(folder: Path, name: str, rows: int, then: str = "", parts: bool = False) -> Contender:
    """One that notes that it started, leaves its result in a file, and goes on with ``then``."""
    code = f"open({str(folder / 'started')!r}, 'a').write('{name}\\n'); open('rows', 'w').write('{rows}'); {then}"
    return Contender(
        name,
        command=lambda own: [sys.executable, "-c", code],
        result=lambda own: int((own / "rows").read_text()),
        parts=(lambda printed: {"read": float(printed)}) if parts else None,
    )


def _started(folder: Path) -> list[str]:
    return (folder / "started").read_text().split()
