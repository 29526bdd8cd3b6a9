"""A plant for each test, and brokers."""

from __future__ import annotations

import pytest
from brokers import Mosquitto
from plants import Plant

from flows.commands.broker import EmbeddedBroker


@pytest.fixture
def plant(tmp_path):
    made = Plant(tmp_path / "plant")
    yield made
    if made.process is not None:
        made.kill()


@pytest.fixture(params=["amqtt", "mosquitto"])
def any_broker(request, tmp_path):
    """A broker's port: the embedded one, and a real mosquitto."""
    if request.param == "amqtt":
        with EmbeddedBroker(port=0) as broker:
            yield broker.port
    else:
        broker = Mosquitto(tmp_path).start()
        yield broker.port
        broker.stop()
