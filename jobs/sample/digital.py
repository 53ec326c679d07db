"""The web shop's and the app's feed, generated: views, baskets and logins on real products, and never a purchase."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from jobs.sample.days import DAYS, SECONDS, iso_text
from jobs.sample.dice import dice
from jobs.sample.dirt import is_real, untidy_card, untidy_email
from jobs.sample.feed import DayFile, Sighting, text_file
from jobs.sample.households import Household
from jobs.sample.sessions import Session, plan_sessions

EVENT_TYPES = ("page_view", "app_open", "login", "product_view", "add_to_cart")
SYSTEMS = {"web": ("Windows", "macOS", "Linux"), "app": ("Android", "iOS")}
RETRIES = 0.005
"""Events that are sent once more, with the same event id: in the same file, or a day later."""

Line = tuple[str, str]
"""Time and text: what a file is sorted by."""


class Digital:
    """``digital/``: JSON lines, one an event. A key that does not apply is absent, as browsers and apps send it."""

    source = "digital"
    extension = "json"

    def __init__(self, products: Sequence[tuple[str, str]], households: Sequence[Household], seed: int) -> None:
        self.sightings: list[Sighting] = []
        self._lines: dict[int, list[Line]] = defaultdict(list)
        for session in plan_sessions(households, seed):
            self._add(session, products, dice(seed, "session", session.key))

    def file(self, day: int) -> DayFile | None:
        """What one day delivered, by time of event; lines that break off or have no time stand at the end."""
        if day not in self._lines:
            return None
        lines = [text for _, text in sorted(self._lines[day])]
        if day % 3 == 0:
            lines.append(f'{{"event_id": "X{day:03d}0", "event": "product_vi')
        if day % 5 == 2:
            lines.append(json.dumps({"event_id": f"X{day:03d}1", "event": "page_view", "ts": "yesterday"}))
        return text_file(lines)

    def _add(self, session: Session, products: Sequence[tuple[str, str]], chance: Random) -> None:
        delivered = min(session.day + session.late, DAYS - 1)
        last_known = session.day * SECONDS
        for moment, event, is_known in _events(session, products, chance):
            line = (str(event["ts"]), json.dumps(event))
            self._lines[delivered].append(line)
            if chance.random() < RETRIES:
                self._lines[min(delivered + chance.randint(0, 1), DAYS - 1)].append(line)
            last_known = moment if is_known else last_known
        self.sightings.extend(_sightings(session, delivered, last_known))


def _events(
    session: Session, products: Sequence[tuple[str, str]], chance: Random
) -> Iterator[tuple[int, dict[str, object], bool]]:
    """The events of a session: its moments, its JSON, and whether it says who is there (from the login on)."""
    moment = session.day * SECONDS + 2 * chance.randint(7 * 1800, 22 * 1800)
    if session.shared and session.household is not None:
        moment += session.household.slot % 2  # two households never use a tablet in the same second: one comes last
    system, language = chance.choice(SYSTEMS[session.channel]), chance.choice(("en", "en", "es"))
    known: dict[str, str] = {}
    for number, step in enumerate(_steps(session, products, chance)):
        if step["event"] == "login":
            known = _login(session, chance)
        event: dict[str, object] = {
            "event_id": f"{session.key}{number:02d}", "event": step["event"], "ts": iso_text(moment),
            "channel": session.channel, "session_id": session.key,
            ("cookie_id" if session.channel == "web" else "device_id"): session.device,
            **known, **step, "context": {"os": system, "lang": language},
        }  # fmt: skip
        yield moment, event, bool(known)
        moment += 2 * chance.randint(5, 90)


def _steps(session: Session, products: Sequence[tuple[str, str]], chance: Random) -> Iterator[dict[str, str]]:
    yield {"event": "page_view", "page": "home"} if session.channel == "web" else {"event": "app_open"}
    looks = chance.randint(1, 5)
    login_before = chance.randint(0, looks - 1) if chance.random() < 0.3 else 0
    for number in range(looks):
        if session.login is not None and number == login_before:
            yield {"event": "login"}
        product, category = chance.choice(products)
        about = {"product_id": product, "product_category": category}
        yield {"event": "product_view", **about}
        if chance.random() < 0.25:
            yield {"event": "add_to_cart", **about}


def _login(session: Session, chance: Random) -> dict[str, str]:
    login = session.login or ""
    if session.channel == "web":
        return {"email": untidy_email(login, chance)}
    return {"card_number": untidy_card(login, chance)}


def _sightings(session: Session, delivered: int, last_known: int) -> Iterator[Sighting]:
    login = session.login if is_real(session.login) else None
    household = session.household.household_id if session.household is not None and login is not None else None
    device = "cookie_id" if session.channel == "web" else "device_id"
    yield Sighting(delivered, last_known, device, session.device, household)
    if login is not None:
        yield Sighting(delivered, last_known, "email" if session.channel == "web" else "loyalty_id", login, household)
