"""A plant for each test, and brokers."""

from __future__ import annotations

import pytest
from brokers import Mosquitto
from plants import Plant


@pytest.fixture
def plant(tmp_path):
    made = Plant(tmp_path / "plant")
    yield made
    if made.process is not None:
        made.kill()


@pytest.fixture
def broker_port(tmp_path):
    """A real mosquitto's; the embedded broker is what the demo runs with."""
    broker = Mosquitto(tmp_path).start()
    yield broker.port
    broker.stop()
