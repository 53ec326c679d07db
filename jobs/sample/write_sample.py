"""Writes the sample: five unclean feeds around a real retailer's year, delivered some days at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conf.errors import BadInputError
from jobs.sample.about import ABOUT
from jobs.sample.calls import Calls
from jobs.sample.crm import Crm
from jobs.sample.days import DAYS, FIRST_DELIVERY, date_of
from jobs.sample.digital import Digital
from jobs.sample.feed import Feed
from jobs.sample.households import plan_households
from jobs.sample.landing import SampleState, deliver_file, read_state, replace_file, write_state
from jobs.sample.real_data import load_real_data
from jobs.sample.redemptions import Redemptions
from jobs.sample.tills import Tills
from jobs.sample.truth import true_persons, truth_text

SOURCES = ("pos", "crm", "redemptions", "digital", "calls")


@dataclass(frozen=True)
class SampleReport:
    """What one call delivered. ``rows`` counts lines by source, repeated and bad ones too; dates are None for none."""

    first_day: date | None
    last_day: date | None
    files: int
    rows: Mapping[str, int]
    remaining_days: int
    messages: tuple[str, ...]


def write_sample(landing: Path, days: int | None, households: int | None = None, seed: int = 2017) -> SampleReport:
    """Delivers the next ``days`` days into ``landing``; without ``days``, what is missing of the first 330.

    ``households``: only the first so many of a fixed order; left out, all of them, or as many as the folder began
    with. The same bytes come out whatever the batches. Raises BadInputError for fewer than one day or two households,
    a folder that holds something else or another sample, and if the real data's package is not installed.
    """
    state = _state_to_continue(landing, days, households, seed)
    target = FIRST_DELIVERY if days is None else state.delivered + days
    batch = range(state.delivered, min(target, DAYS))
    if not batch:
        return _report(batch, state.delivered, 0, {})
    feeds = _feeds(state, batch)
    _prepare(landing, state)
    files, rows = _deliver(landing, feeds, batch)
    persons = true_persons((seen for feed in feeds for seen in feed.sightings), batch.stop)
    replace_file(landing / "_truth" / "identifiers.csv", truth_text(persons).encode())
    write_state(landing, SampleState(batch.stop, state.households, state.seed))
    return _report(batch, batch.stop, files, rows)


def _state_to_continue(landing: Path, days: int | None, households: int | None, seed: int) -> SampleState:
    if days is not None and days < 1:
        raise BadInputError(f"--days is {days}; expected 1 or more.")
    if households is not None and households < 2:
        raise BadInputError(f"--households is {households}; expected 2 or more: some devices are shared by two.")
    state = read_state(landing)
    if state is None:
        _refuse_other_files(landing)
        return SampleState(0, households, seed)
    asked = (state.households if households is None else households, seed)
    if asked != (state.households, state.seed):
        made = "all households" if state.households is None else f"{state.households} households"
        raise BadInputError(
            f"{landing} holds the sample of {made} from seed {state.seed}; {asked[0]} households from seed {seed} were "
            "asked for. Go on with the same, or write another sample into an empty folder."
        )
    return state


def _refuse_other_files(landing: Path) -> None:
    for source in SOURCES:
        if any((landing / source).glob("[!.]*")):
            raise BadInputError(f"{landing / source} holds files that no sample wrote. Write the sample into an empty folder.")


def _feeds(state: SampleState, batch: range) -> Sequence[Feed]:
    real = load_real_data(state.households)
    plans = plan_households(real, state.seed)
    return (
        Tills(real, plans, state.seed, batch),
        Crm(real, plans, state.seed),
        Redemptions(real, plans),
        Digital(real.popular, plans, state.seed),
        Calls(plans, state.seed),
    )


def _prepare(landing: Path, state: SampleState) -> None:
    """The state says first what is being written; every folder exists, even one whose source has nothing yet."""
    landing.mkdir(parents=True, exist_ok=True)
    write_state(landing, state)
    for folder in (*SOURCES, "_truth"):
        (landing / folder).mkdir(exist_ok=True)
    replace_file(landing / "ABOUT.md", ABOUT.encode())


def _deliver(landing: Path, feeds: Sequence[Feed], batch: range) -> tuple[int, dict[str, int]]:
    files, rows = 0, {feed.source: 0 for feed in feeds}
    for day in batch:
        for feed in feeds:
            made = feed.file(day)
            if made is not None:
                deliver_file(landing / feed.source / f"{date_of(day)}.{feed.extension}", made.content)
                files, rows[feed.source] = files + 1, rows[feed.source] + made.rows
    return files, rows


def _report(batch: range, delivered: int, files: int, rows: Mapping[str, int]) -> SampleReport:
    left = DAYS - delivered
    first, last = (date_of(batch.start), date_of(batch.stop - 1)) if batch else (None, None)
    if first is None or last is None:
        messages = [f"Nothing written: the first {delivered} days are delivered already."]
    else:
        lines = ", ".join(f"{source} {count:,}" for source, count in rows.items())
        span = f"{first}" if first == last else f"{first} to {last}"
        messages = [f"Wrote {span} ({len(batch)} {'day' if len(batch) == 1 else 'days'}) in {files:,} files: {lines}."]
    if left == 0:
        messages.append("All days are delivered; there are no more.")
    else:
        messages.append(f"{left} {'day is' if left == 1 else 'days are'} left; --days N writes the next N.")
    return SampleReport(first, last, files, dict(rows), left, tuple(messages))
