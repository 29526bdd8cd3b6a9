"""Work beside the flow: what it returns, and what ends it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from plants import wait_until

from flows.configuration.settings import LogOptions
from flows.serve.editor.aside import Aside
from flows.serve.problems import RefusedError
from stages.decode import DecodeOptions
from stages.errors import ConfigError
from stages.formats import compile_format

SCRIPT = """
import os, sys
from flows.configuration.settings import LogOptions
from flows.serve.editor.aside import Aside
if __name__ == "__main__":
    aside = Aside("t", LogOptions(), niceness=5, memory_mb=1000)
    print(aside.ask(os.getpid, seconds=60), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def aside():
    made = Aside("test", LogOptions(), niceness=5, memory_mb=600)
    yield made
    made.close()


def test_ask_when_it_returns_or_raises_then_so_does_asking_and_the_process_stays(aside):
    pid = aside.ask(os.getpid, seconds=60)
    assert pid != os.getpid() and psutil.Process(pid).nice() == min(19, os.nice(0) + 5)
    assert aside.ask(DecodeOptions, seconds=60) == DecodeOptions()
    with pytest.raises(ConfigError, match="no word"):
        aside.ask(refusing, seconds=60)
    assert aside.ask(os.getpid, seconds=60) == pid


def refusing():
    raise ConfigError("no word")


def test_ask_when_it_is_too_slow_then_it_is_ended_and_the_next_is_answered(aside):
    begin = time.monotonic()
    with pytest.raises(RefusedError) as caught:
        aside.ask(time.sleep, 3600, seconds=0.5)
    assert caught.value.status == 504 and "0.5 s" in caught.value.detail
    assert time.monotonic() - begin < 60
    assert aside.ask(len, "ab", seconds=60) == 2


def test_ask_when_it_takes_too_much_memory_then_it_is_ended(aside):
    with pytest.raises(RefusedError) as caught:
        aside.ask(grow, seconds=60)
    assert caught.value.status == 504 and "memory" in caught.value.detail
    assert aside.ask(len, "ab", seconds=60) == 2


def grow():
    kept = np.ones(150_000_000)
    time.sleep(3600)
    return kept


def test_ask_when_the_process_dies_or_has_a_bug_then_said_so_and_the_next_is_answered(aside):
    for deadly, arguments in ((ctypes.string_at, (0,)), (compile_format, (None,))):
        with pytest.raises(RefusedError) as caught:
            aside.ask(deadly, *arguments, seconds=60)
        assert caught.value.status == 503 and caught.value.error == "preview-died"
    assert aside.ask(len, "ab", seconds=60) == 2


def test_ask_when_it_was_idle_too_long_then_another_process_answers():
    aside = Aside("test", LogOptions(), niceness=5, memory_mb=600, idle_seconds=0.2)
    try:
        first = psutil.Process(aside.ask(os.getpid, seconds=60))
        wait_until(lambda: first.status() == psutil.STATUS_ZOMBIE, "it left")
        assert aside.ask(os.getpid, seconds=60) != first.pid
    finally:
        aside.close()


def test_close_when_something_is_asked_then_it_ends_and_nothing_more_is_answered(aside):
    caught = []

    def ask():
        try:
            aside.ask(time.sleep, 3600, seconds=3600)
        except RefusedError as error:
            caught.append(error)

    pid = aside.ask(os.getpid, seconds=60)
    asking = threading.Thread(target=ask)
    asking.start()
    aside.close()
    asking.join(30)
    assert not asking.is_alive() and caught[0].status == 503
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    with pytest.raises(RefusedError):
        aside.ask(len, "ab", seconds=60)


def test_process_when_its_station_is_killed_then_it_ends_too():
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as station:
        assert station.stdout is not None
        beside = psutil.Process(int(station.stdout.readline()))
        station.kill()
    assert psutil.wait_procs([beside], timeout=30)[1] == []
