from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

from models.processes import is_alive, process_tags

NOW = datetime(2024, 12, 31, tzinfo=timezone.utc)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_this_process_is_alive() -> None:
    assert is_alive(process_tags(), _ms(NOW), NOW)


def test_a_process_that_ended_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not is_alive({**process_tags(), "c360.process": str(process.pid)}, _ms(NOW), NOW)


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    assert not is_alive({**process_tags(), "c360.process_started": "another time"}, _ms(NOW), NOW)


def test_a_process_of_another_machine_is_given_a_day() -> None:
    elsewhere = {**process_tags(), "c360.machine": "another-machine"}
    assert is_alive(elsewhere, _ms(NOW - timedelta(hours=23)), NOW)
    assert not is_alive(elsewhere, _ms(NOW - timedelta(hours=25)), NOW)
