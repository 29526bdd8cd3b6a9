"""What `check` says of a broker that would drop what absent subscribers miss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from accounts import Account
from brokers import Mosquitto, free_port

from flows.care.outage import Load, load_of, messages_missed, shortcomings
from flows.sinks.mqtt import MqttOptions, MqttSink
from flows.sinks.mqtt_probe import Granted, granted
from stages.errors import ConfigError
from stages.ports import Site

HOUR = datetime(2026, 11, 20, 8, tzinfo=UTC)
AMPLE = Granted(20, None, True, 10**6)
BUSY = Load({HOUR: 3000, HOUR + timedelta(hours=1): 4000, HOUR + timedelta(hours=5): 5000}, 900)


def told(given: Granted | None = AMPLE, load: Load | None = BUSY, config=None) -> list[str]:
    return list(shortcomings(given, load, config, hours=2.0, figures_seconds=60.0))


@pytest.mark.parametrize(("hours", "rows"), [(0.5, 5000), (1, 5000), (2, 7000), (8, 12_000)])
def test_busiest_when_hours_are_given_then_the_fullest_span_of_them_counts(hours, rows):
    assert BUSY.busiest(hours) == rows
    assert messages_missed(BUSY, hours, 0) == 2 * rows
    assert messages_missed(BUSY, hours, 60) == 2 * rows + 60 * hours


def test_load_when_a_root_was_watched_then_it_is_that_of_its_rows(tmp_path):
    with Account(tmp_path / "root") as made:
        assert load_of(made.layout) is None
        made.past()
        load = load_of(made.layout)
    assert load is not None and sum(load.by_hour.values()) == 28 and load.busiest(1) == 14
    assert 300 < load.longest_bytes < 3000


def test_shortcomings_when_the_queue_cannot_be_known_then_the_needed_number_is_said():
    (words,) = told()
    assert "misses up to 14120 messages" in words and "MQTT does not tell" in words
    assert "max_queued_messages" in words
    assert told(load=Load({HOUR: 100}, 900)) == told(load=None) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Granted(20, None, False, 10**6), "retains nothing"),
        (Granted(20, None, True, 3600), "ends a session after 1 h"),
        (Granted(20, 1000, True, 10**6), "the longest row so far needs 1412"),
        (Granted(1, None, True, 10**6), "only 1 messages at a time"),
    ],
)
def test_shortcomings_when_the_broker_grants_too_little_then_each_is_told(given, words):
    found = told(given)
    assert len(found) == 2 and words in found[0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("persistence true", ["max_queued_messages 1000 is less than the 14120"]),
        ("persistence true\nmax_queued_messages 0", []),
        ("persistence true\nmax_queued_messages 14120\n# max_queued_messages 5", []),
        ("max_queued_messages 20000", ["persistence is off"]),
        (
            "persistence true\nmax_queued_messages 0\npersistent_client_expiration 1h",
            ["persistent_client_expiration 1h ends the session"],
        ),
        ("persistence true\nmax_queued_messages 0\npersistent_client_expiration 1d", []),
        ("persistence true\nmax_queued_messages 0\nmax_queued_bytes 9", ["max_queued_bytes 9"]),
        ("persistence true\nmax_queued_messages 0\ninclude_dir conf.d", ["include_dir"]),
    ],
)
def test_shortcomings_when_the_configuration_can_be_read_then_it_is_held_to_the_rate(
    tmp_path, lines, words
):
    config = tmp_path / "mosquitto.conf"
    config.write_text(lines)
    found = told(config=config)
    assert len(found) == len(words)
    for line, word in zip(found, words, strict=True):
        assert word in line and line.startswith(str(config))


@pytest.mark.parametrize("content", [None, "max_queued_messages many"])
def test_shortcomings_when_the_configuration_is_no_good_then_it_is_one_line(tmp_path, content):
    config = tmp_path / "mosquitto.conf"
    if content is not None:
        config.write_text(content)
    with pytest.raises(ConfigError, match=r"cannot be read|is no number"):
        told(config=config)


def test_granted_when_a_real_broker_answers_then_its_limits_are_known(tmp_path):
    lines = ("allow_anonymous true", "retain_available false", "max_packet_size 2000")
    broker = Mosquitto(tmp_path, lines).start()
    try:
        endpoint = MqttOptions(host="127.0.0.1", port=broker.port).endpoint("127.0.0.1", "/")
        found = granted(endpoint, "probe", 7200)
        assert found is not None
        assert (found.packet_bytes, found.retains, found.session_seconds) == (2000, False, 7200)
        assert 1 <= found.receive_maximum <= 65_535
        options = MqttOptions(host="127.0.0.1", port=broker.port)
        lines = MqttSink(options, Site("s", str(tmp_path)), "mqtt").probe().splitlines()
        assert lines[1].startswith("attention: the broker retains nothing")
    finally:
        broker.stop()


def test_granted_when_no_broker_is_there_then_nothing_is_known(tmp_path):
    endpoint = MqttOptions(host="127.0.0.1", port=free_port()).endpoint("127.0.0.1", "/")
    assert granted(endpoint, "probe", 7200) is None
