"""Silent cameras are told in the ledger's conditions, until they send again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from accounts import SINKS, Account
from made import MORNING
from structlog.testing import capture_logs

from flows.audit.figures import figures
from flows.care.listening import Listening
from flows.clocks import Clocks


@pytest.fixture
def listen(tmp_path):
    """`listen(options)`: a root that is open, and what tells of its cameras."""
    opened = []

    def make(options: str) -> tuple[Account, Listening]:
        made = Account(tmp_path / "root", SINKS + f"silence: {options}\n")
        made.__enter__()
        opened.append(made)
        clocks = Clocks(made.clock, made.clock.tick)
        return made, Listening(made.ledger, made.settings.silence, clocks)

    yield make
    for made in opened:
        made.__exit__(None, None, None)


def arrive(made: Account, numbers, *, camera: str = "cam") -> None:
    """Pictures that came a minute apart, the last of them now."""
    for number in numbers:
        made.claim(number, camera=camera)
        at = made.clock.now - timedelta(minutes=numbers[-1] - number)
        with made.ledger._transaction() as db:
            db.execute(
                "UPDATE images SET arrived_at=? WHERE name=?",
                (at.strftime("%Y-%m-%dT%H:%M:%S.000000Z"), f"part-{number}.png"),
            )


def told(made: Account) -> dict[str, str]:
    with made.ledger.snapshot() as db:
        return figures(db, made.clock.now)["conditions"]


def test_listen_when_a_camera_misses_what_it_had_a_week_ago_then_it_is_told_until_it_sends(listen):
    made, listening = listen("{}")
    # A week ago it sent for three hours, today for the first hour of them.
    made.clock.now = MORNING + timedelta(hours=2)
    arrive(made, range(1, 182))
    made.clock.now = MORNING + timedelta(days=7)
    arrive(made, range(200, 261))
    made.clock.now += timedelta(minutes=19)
    listening.listen()
    assert told(made) == {}
    made.clock.now += timedelta(minutes=2)
    with capture_logs() as logs:
        listening.listen()
        listening.listen()
    words = told(made)["camera cam"]
    assert words.startswith("no picture since 2026-11-27 08:00 UTC") and "cameras_minutes" in words
    assert [entry["log_level"] for entry in logs] == ["warning"]
    arrive(made, range(300, 301))
    listening.listen()
    assert told(made) == {}


def test_listen_when_limits_are_fixed_then_they_hold_day_and_night(listen):
    made, listening = listen("{limit_minutes: 90, cameras_minutes: {fast: 5, lab: null}}")
    for number, camera in enumerate(("fast", "lab", "other"), 1):
        arrive(made, range(number, number + 1), camera=camera)
    made.clock.now += timedelta(minutes=6)
    listening.listen()
    assert list(told(made)) == ["camera fast"]
    assert told(made)["camera fast"].endswith("it may be silent for 5 minutes")
    made.clock.now += timedelta(minutes=90)
    listening.listen()
    assert sorted(told(made)) == ["camera fast", "camera other"]


def test_listen_when_an_earlier_run_told_of_a_camera_then_it_is_judged_anew(listen):
    made, listening = listen("{limit_minutes: 5}")
    arrive(made, range(1, 2))
    made.ledger.set_conditions({"camera cam": "no picture", "camera old": "no picture"}, "silence")
    listening.listen()
    assert told(made) == {}


def test_listen_when_learning_is_off_then_nothing_is_told_without_a_limit(listen):
    made, listening = listen("{learned: false}")
    arrive(made, range(1, 182))
    made.clock.now = MORNING + timedelta(days=7, minutes=-60)
    listening.listen()
    assert told(made) == {}
