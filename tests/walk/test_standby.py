"""The standby as a black box: what hangs is read apart, and nothing of it outlives the flow."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from made import picture
from plants import wait_until

SITE = """
cluster: {threads: 1, memory_limit_mb: 2048, standby_after_seconds: 0}
recogniser: {use: scripted}
sinks: {mqtt: null}
"""
EVERYTHING = "fields: [{detect: {use: everything}}]\n"
HANG = 22


@pytest.fixture
def hanging(plant):
    """A flow whose standby hangs in a picture, for the minute of its deadline."""
    plant.configure(SITE, recipe=EVERYTHING)
    picture(plant.inbox("bad") / "hang.png", HANG)
    plant.start()
    plant.wait_until(lambda: plant.claimed("attempts=1"), "the first attempt")
    # What was in work when the flow died is suspect.
    plant.kill()
    plant.start()
    plant.wait_for("standby ready")
    plant.wait_until(lambda: plant.claimed("alone=1 AND in_flight=1"), "the attempt alone")
    return plant


def test_watch_when_a_picture_hangs_apart_then_others_are_read_and_status_says_so(hanging):
    picture(hanging.inbox("good") / "1.png", 101)
    hanging.wait_until(lambda: hanging.reported() == 1, "the good picture")
    assert hanging.claimed("alone=1 AND in_flight=1")
    words = hanging.status()["conditions"]["suspects"]
    assert words.startswith("1 in work are read alone")


def test_watch_when_only_the_flow_is_killed_then_both_of_its_workers_end(hanging):
    children = psutil.Process(hanging.process.pid).children(recursive=True)
    # Beside the workers one that tracks what processes share.
    assert len(children) >= 3
    os.kill(hanging.process.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, children)), "the end of the workers")


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
