"""Side-by-side measurement: the same work by several contenders, in turn, each in a process of its own."""

from __future__ import annotations

import json
import operator
import os
import platform
import shutil
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conf.errors import C360Error
from jobs.runtime.text_table import text_table

ROOT = Path(__file__).parents[1]
PROC = Path("/proc")
SAMPLING_SECONDS = 0.1
MIB = 1024 * 1024
COMMON_FIGURES = {"median_s": "median s", "min_s": "min s", "max_s": "max s", "peak_mib": "peak MiB"}
"""Figures that every contender has, and what the table calls them."""


class ComparisonError(C360Error):
    """Contenders that cannot be compared: one of them failed, or their results differ."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work, as a ``command`` for a folder that is new at each run and gone afterwards.

    After the clock has stopped, ``result`` reads from the folder what all contenders must agree on; from what the command
    printed, ``parts`` reads seconds by part of the work, and ``figures`` what it has measured itself, e.g. percentiles.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    result: Callable[[Path], Any]
    parts: Callable[[str], dict[str, float]] | None = None
    figures: Callable[[str], dict[str, float]] | None = None


@dataclass(frozen=True)
class Comparison:
    """One entry at one size. The first contender is ``ours``; ``compared`` names what a result is, e.g. rows.

    ``agree`` says whether two results are the same: equal, unless no contender can be expected to find an exact one.
    """

    name: str
    size: str
    work: dict[str, Any]
    compared: str
    contenders: tuple[Contender, ...]
    agree: Callable[[Any, Any], bool] = operator.eq


@dataclass(frozen=True)
class Measurement:
    """One run: wall time in seconds, peak memory of all its processes in MiB (None where there is no /proc)."""

    seconds: float
    peak_mib: int | None
    result: Any
    parts: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)


def compare(comparison: Comparison, runs: int, scratch: Path, results: Path) -> dict[str, Any]:
    """Checks that all contenders come to the same result, then times each ``runs`` times; writes the report.

    The check also warms the disk's cache for all of them. Raises ComparisonError, before anything is timed, where
    results differ, and whenever a contender fails or changes its result.
    """
    agreed = _agreed_result(comparison, scratch)
    measured: dict[str, list[Measurement]] = {contender.name: [] for contender in comparison.contenders}
    for turn in range(runs):  # every other turn backwards, so that nobody always comes after the same one
        for contender in comparison.contenders[:: -1 if turn % 2 else 1]:
            measurement = _measure(contender, scratch)
            if not comparison.agree(measurement.result, agreed):
                raise ComparisonError(f"{contender.name} came to other {comparison.compared} than when it was checked.")
            measured[contender.name].append(measurement)
    report = _report(comparison, agreed, measured)
    write_report(report, results)
    return report


def write_report(report: dict[str, Any], results: Path) -> None:
    """Keeps a report as the JSON file of its entry and size."""
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{report['name']}-{report['size']}.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")


def report_text(report: dict[str, Any]) -> str:
    """The report for a person: the contenders, then where their time goes."""
    ours, *_ = report["contenders"]
    rows = []
    for name, figures in report["contenders"].items():
        ratio = report["ratios"].get(f"{ours}/{name}")
        rows.append((name, *figures.values(), "" if ratio is None else f"{ratio:.2f}"))
    own = [name.replace("_", " ") for name in list(next(iter(report["contenders"].values())))[len(COMMON_FIGURES) :]]
    header = ("contender", *COMMON_FIGURES.values(), *own, f"{ours} / it")
    text = f"{report['name']}, size {report['size']}\n\n{text_table(header, rows)}"
    for name, parts in report["work"].get("seconds_by_part", {}).items():
        text += f"\n\n{text_table((f'{name}, part by part', 'median s'), list(parts.items()))}"
    return text


def _agreed_result(comparison: Comparison, scratch: Path) -> Any:
    found = {contender.name: _measure(contender, scratch).result for contender in comparison.contenders}
    first, *others = found.values()
    if not all(comparison.agree(other, first) for other in others):
        each = "; ".join(f"{name}: {result}" for name, result in found.items())
        raise ComparisonError(f"Nothing was timed, for the contenders' {comparison.compared} differ ({each}).")
    return first


def _measure(contender: Contender, scratch: Path) -> Measurement:
    folder = (scratch / contender.name).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    try:
        seconds, peak_mib = _timed(contender, folder)
        printed = (folder / "stdout").read_text()
        parts = contender.parts(printed) if contender.parts else {}
        figures = contender.figures(printed) if contender.figures else {}
        return Measurement(seconds, peak_mib, contender.result(folder), parts, figures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _timed(contender: Contender, folder: Path) -> tuple[float, int | None]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder / "tmp")}
    command = list(contender.command(folder))
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        clock = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err, start_new_session=True)
        try:
            with _peak_memory(process.pid) as peak:
                code = process.wait()
                seconds = time.perf_counter() - clock
        finally:  # a JVM on its way out, or everything when the measurement is interrupted
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code != 0:
        said = " | ".join((folder / "stderr").read_text(errors="replace").strip().splitlines()[-5:])
        raise ComparisonError(f"{contender.name} ended with exit code {code}: {said or 'it said nothing'}")
    return seconds, max(peak) // MIB if PROC.is_dir() else None


@contextmanager
def _peak_memory(session: int) -> Iterator[list[int]]:
    """Samples, meanwhile, the resident bytes of all processes of a session: Python, its JVM, and the JVM's workers."""
    samples, ended = [0], threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLING_SECONDS):
            samples.append(_resident_bytes(session))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        ended.set()
        sampler.join()


def _resident_bytes(session: int) -> int:
    pages = 0
    for path in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            fields = path.read_text(errors="replace").rpartition(")")[2].split()  # a name may hold spaces: proc(5)
            pages += int(fields[21]) if int(fields[3]) == session else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _report(comparison: Comparison, agreed: Any, measured: dict[str, list[Measurement]]) -> dict[str, Any]:
    figures = {name: _figures(measurements) for name, measurements in measured.items()}
    ours, *peers = figures
    parts = {name: _median_parts(runs) for name, runs in measured.items() if runs[0].parts}
    work = {**comparison.work, comparison.compared: agreed, "runs": len(measured[ours])}
    return {
        "name": comparison.name,
        "size": comparison.size,
        "machine": machine(),
        "work": {**work, "seconds_by_part": parts} if parts else work,
        "contenders": figures,
        "ratios": {f"{ours}/{peer}": round(figures[ours]["median_s"] / figures[peer]["median_s"], 2) for peer in peers},
    }


def _figures(measurements: Sequence[Measurement]) -> dict[str, Any]:
    seconds = [measurement.seconds for measurement in measurements]
    peaks = [measurement.peak_mib for measurement in measurements if measurement.peak_mib is not None]
    spread = {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}
    own = {name: round(statistics.median(m.figures[name] for m in measurements), 3) for name in measurements[0].figures}
    return {**{name: round(value, 3) for name, value in spread.items()}, "peak_mib": max(peaks, default=None), **own}


def _median_parts(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Each part's median, and what is left of the whole: starting, importing, reporting, ending."""
    rests = [{**m.parts, "(the rest)": m.seconds - sum(m.parts.values())} for m in measurements]
    return {part: round(statistics.median(rest[part] for rest in rests), 3) for part in rests[0]}


def machine() -> dict[str, Any]:
    """What figures depend on, and nothing that names the machine."""
    info = Path("/proc/cpuinfo")
    models = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        if info.is_file()
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024 / MIB, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }
