"""The embedded broker: clients come, are refused or served, and nothing of it stays behind."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time

import paho.mqtt.client as paho
import pytest
from brokers import Subscriber

from flows.commands.broker import EmbeddedBroker
from stages.errors import DeliveryError


def _connect(port: int, protocol: int) -> tuple[paho.Client, str]:
    answered = threading.Event()
    answers: list[str] = []
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        client_id="station",
        protocol=paho.MQTTProtocolVersion(protocol),
        reconnect_on_failure=False,
    )

    def on_connect(*args: object) -> None:
        answers.append(str(args[3]))
        answered.set()

    client.on_connect = on_connect
    client.will_set("will", b"gone", 1, True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert answered.wait(5)
    return client, answers[0]


def _end(client: paho.Client) -> None:
    client.disconnect()
    client.loop_stop()


def test_broker_when_a_message_is_published_then_a_subscriber_and_a_later_one_get_it(broker):
    client, _ = _connect(broker.port, 4)
    with Subscriber(broker.port, "plant/#", protocol=4) as early:
        client.publish("plant/status", b"online", 1, retain=True).wait_for_publish(5)
        assert early.wait_for("plant/status")[0].payload == b"online"
    with Subscriber(broker.port, "plant/#", protocol=4) as late:
        kept = late.wait_for("plant/status")[0]
    assert kept.payload == b"online" and kept.retain
    _end(client)


def test_broker_when_a_client_speaks_mqtt_5_then_it_is_refused_at_once(broker):
    before = time.monotonic()
    client, answer = _connect(broker.port, 5)
    assert answer == "Unsupported protocol version"
    assert time.monotonic() - before < 2
    _end(client)


@pytest.mark.parametrize(
    "opening", [b"GET / HTTP/1.1\r\n\r\n", b"", b"\x10\xff\xff\xff\xff\xff", b"\x10\x0c\x00"]
)
def test_broker_when_something_else_connects_then_it_is_dropped_and_others_are_served(
    broker, opening
):
    with socket.create_connection((broker.host, broker.port)) as stranger:
        stranger.sendall(opening)
        stranger.shutdown(socket.SHUT_WR)
        stranger.settimeout(5)
        assert stranger.recv(100) == b""
    client, answer = _connect(broker.port, 4)
    assert answer == "Success"
    _end(client)


def test_broker_when_its_port_is_taken_then_the_error_names_the_options():
    with (
        EmbeddedBroker() as first,
        pytest.raises(DeliveryError, match=rf"127.0.0.1:{first.port}.*embedded_port.*host"),
        EmbeddedBroker(first.port),
    ):
        pass


def test_broker_when_it_ends_with_clients_connected_then_threads_and_port_are_free_again():
    before = set(threading.enumerate())
    levels = [logging.getLogger(name).level for name in ("amqtt", "transitions")]
    broker = EmbeddedBroker()
    with broker:
        client, _ = _connect(broker.port, 4)
    _end(client)
    assert set(threading.enumerate()) == before
    assert [logging.getLogger(name).level for name in ("amqtt", "transitions")] == levels
    with EmbeddedBroker(broker.port) as again:
        assert again.port == broker.port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux owns all of 127.0.0.0/8")
def test_broker_when_it_serves_then_it_listens_on_one_address_only(broker):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", broker.port), timeout=5)


def test_broker_when_used_then_nothing_is_logged(caplog):
    with caplog.at_level(logging.INFO), EmbeddedBroker() as broker:
        client, _ = _connect(broker.port, 4)
        client.publish("a", b"b", 1).wait_for_publish(5)
        _end(client)
    assert [record for record in caplog.records if record.name != "asyncio"] == []
