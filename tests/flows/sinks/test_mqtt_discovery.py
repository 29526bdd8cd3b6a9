"""Home Assistant discovery: payloads against the documented keys, life against a real mosquitto."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta

import jinja2.sandbox
import pytest
from brokers import DEADLINE_SECONDS, Mute, Subscriber, free_port, make_row
from hypothesis import given
from hypothesis import strategies as st
from plants import wait_until
from structlog.testing import capture_logs

from flows import vocabulary
from flows.sinks import mqtt_discovery
from flows.sinks.mqtt import MqttOptions, MqttSink
from flows.sinks.mqtt_entities import Devices
from stages.ports import Batch, Site

TODAY = datetime.now(UTC)
DEVICES = Devices("plant-1", "acme/line", "homeassistant")
STATUS = "acme/line/_station/plant-1/status"
FIGURES = {
    "images": {"seen": 9, "reported": 8, "failed": 2, "in_work": 1},
    "sinks": {"mqtt": {"pending": 3}, "csv": {"pending": 5}},
    "balanced": True,
    "conditions": {},
}

# What the pages of the integrations name as configuration variables (home-assistant.io:
# mqtt "Discovery payload", sensor.mqtt, binary_sensor.mqtt).
ROOT = {"device", "origin", "components", "state_topic", "qos", "encoding", "availability"}
DEVICE = {
    "configuration_url",
    "connections",
    "hw_version",
    "identifiers",
    "manufacturer",
    "model",
    "model_id",
    "name",
    "serial_number",
    "suggested_area",
    "sw_version",
    "via_device",
}
ORIGIN = {"name", "sw_version", "support_url"}
EVERY = {
    "platform",
    "unique_id",
    "name",
    "availability",
    "availability_mode",
    "device_class",
    "enabled_by_default",
    "entity_category",
    "entity_picture",
    "expire_after",
    "force_update",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "state_topic",
    "value_template",
}
PLATFORMS = {
    "sensor": EVERY
    | {"options", "state_class", "suggested_display_precision", "unit_of_measurement"},
    "binary_sensor": EVERY | {"off_delay", "payload_on", "payload_off"},
}
CLASSES = {
    "sensor": {"enum", "timestamp", None},
    "binary_sensor": {"connectivity", "problem"},
}


def content(message) -> dict:
    assert message.retain
    return json.loads(message.payload)


def rendered(template: str, payload: str) -> str:
    """As Home Assistant does: strict, for an undefined value is an entry in its log."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(value_json=json.loads(payload))


def states(message, payload: str) -> dict[str, str]:
    parts = content(message)["components"]
    return {name: rendered(part["value_template"], payload) for name, part in parts.items()}


def status(state: str, **figures) -> str:
    return json.dumps({"state": state, "station": "plant-1", "version": "1", **figures})


@pytest.mark.parametrize("message", [DEVICES.station_device(), DEVICES.camera_device("press 3")])
def test_config_when_made_then_it_has_only_documented_keys_that_go_together(message):
    told = content(message)
    assert set(told) <= ROOT and {"device", "origin", "components"} <= set(told)
    assert set(told["device"]) <= DEVICE and told["device"]["identifiers"]
    assert set(told["origin"]) <= ORIGIN and told["origin"]["name"] == "markwatch"
    ids = [part["unique_id"] for part in told["components"].values()]
    assert len(set(ids)) == len(ids)
    for name, part in told["components"].items():
        assert re.fullmatch(r"[a-z_]+", name)
        assert set(part) <= PLATFORMS[part["platform"]], name
        assert part.get("device_class") in CLASSES[part["platform"]], name
        # An enumeration has neither unit nor class of state, and only it has options.
        is_enum = part.get("device_class") == "enum"
        assert is_enum == ("options" in part)
        assert not (is_enum and {"unit_of_measurement", "state_class"} & set(part))
        assert part.get("state_class") in (None, "measurement", "total_increasing")
        assert ("json_attributes_topic" in part) == ("json_attributes_template" in part)
        for where in part.get("availability", []):
            assert set(where) == {"topic", "value_template"} and where["topic"] == STATUS


def test_camera_when_its_row_was_read_then_each_entity_has_its_state():
    message = DEVICES.camera_device("press-3")
    row = make_row(7, camera="press-3")
    found = states(message, vocabulary.to_json(row))
    assert found["code"] == "A1" and found["status"] == "read"
    assert float(found["confidence"]) == 97.0
    assert datetime.fromisoformat(found["read_at"]) == row["read_at"]
    code = content(message)["components"]["code"]
    attributes = json.loads(rendered(code["json_attributes_template"], vocabulary.to_json(row)))
    assert attributes["id"] == row["id"] and attributes["seq"] == 7
    assert {"status", "confidence", "reason", "image"} <= set(attributes)
    assert "characters" not in attributes
    assert (
        content(message)["state_topic"]
        == code["json_attributes_topic"]
        == ("acme/line/press-3/last")
    )
    options = content(message)["components"]["status"]["options"]
    assert set(options) == {"read", "unsure", "mismatch", "unread", "failed"}


def test_camera_when_its_picture_failed_then_what_is_not_known_is_unknown():
    # `None` is what the integration takes for "unknown".
    failed = vocabulary.to_json(make_row(7, status="failed"))
    found = states(DEVICES.camera_device("press-3"), failed)
    assert (found["code"], found["confidence"], found["status"]) == ("None", "None", "failed")


def test_station_when_figures_come_then_backlog_counts_and_attention_are_told():
    message = DEVICES.station_device()
    assert states(message, status("online", **FIGURES)) == {
        "connection": "ON",
        "state": "online",
        "backlog": "5",
        "attention": "OFF",
        "read": "8",
        "failed": "2",
    }
    troubled = {**FIGURES, "conditions": {"camera a": "no picture"}}
    assert states(message, status("draining", **troubled))["attention"] == "ON"
    assert states(message, status("online", **{**FIGURES, "balanced": False}))["attention"] == "ON"
    attributes = content(message)["components"]["attention"]["json_attributes_template"]
    assert json.loads(rendered(attributes, status("online", **troubled))) == troubled["conditions"]
    assert json.loads(rendered(attributes, status("offline"))) == {}


@pytest.mark.parametrize(("state", "word"), [("offline", "offline"), ("stopped", "offline")])
def test_station_when_it_is_away_then_connection_says_so_and_the_rest_is_unavailable(state, word):
    message = DEVICES.station_device()
    found = states(message, status(state))
    assert (found["connection"], found["state"]) == ("OFF", state)
    assert {found[name] for name in ("backlog", "attention", "read", "failed")} == {"None"}
    parts = content(message)["components"]
    assert "availability" not in parts["connection"] and "availability" not in parts["state"]
    for part in (*parts.values(), *content(DEVICES.camera_device("a"))["components"].values()):
        for where in part.get("availability", []):
            assert rendered(where["value_template"], status(state)) == word
            assert rendered(where["value_template"], status("draining")) == "online"


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_when_names_are_odd_then_they_are_safe_stable_and_never_meet(one, other):
    topics = [DEVICES.camera_device(name).topic for name in (one, one, other)]
    for topic in topics:
        assert re.fullmatch(r"homeassistant/device/[a-z0-9_]{10,120}/config", topic)
    assert topics[0] == topics[1]
    assert (topics[0] == topics[2]) == (one == other)
    assert topics[0] != DEVICES.station_device().topic


def test_ids_when_names_are_plain_then_a_person_finds_them():
    (key,) = content(DEVICES.camera_device("press-3"))["device"]["identifiers"]
    # Kept for ever: another id would be another device, and its history lost.
    assert key == "markwatch_plant_1_press_3_779bdf70"


# with a broker


class Home(Subscriber):
    """What a broker holds of configs, as Home Assistant would see it."""

    def held(self) -> dict[str, dict]:
        now = {}
        for message in self.messages:
            if message.topic.endswith("/config"):
                now[message.topic] = message.payload
        return {topic: json.loads(payload) for topic, payload in now.items() if payload}

    def wait_until(self, names: set[str]) -> dict[str, dict]:
        self.wait(lambda _: self.names() == names)
        return self.held()

    def names(self) -> set[str]:
        return {told["device"]["name"] for told in self.held().values()}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(mqtt_discovery, "BIRTH_JITTER_SECONDS", 0.01)
    monkeypatch.setattr(mqtt_discovery, "AGAIN_SECONDS", 0.1)


def make_sink(port: int, folder, home_assistant: dict | None = {}, **options) -> MqttSink:  # noqa: B006
    given = {"home_assistant": home_assistant, "reconnect_max_seconds": 0.1, **options}
    found = MqttOptions(host="127.0.0.1", port=port, **given)
    return MqttSink(found, Site("plant-1", str(folder)), "mqtt")


def deliver(sink: MqttSink, *cameras: str, at: datetime = TODAY) -> Batch:
    rows = [make_row(seq, camera=name, read_at=at) for seq, name in enumerate(cameras, 1)]
    batch = Batch(rows, 0, len(rows))
    receipt = sink.deliver(batch)
    assert receipt.delivered == {row["seq"] for row in rows}
    return receipt


def home(port: int) -> Home:
    return Home(port, "homeassistant/#")


def test_cameras_when_they_appear_then_each_becomes_a_device_that_is_retained(mosquitto, tmp_path):
    port = mosquitto().port
    with home(port) as early, make_sink(port, tmp_path) as sink:
        early.wait_until({"markwatch plant-1"})
        deliver(sink, "press-3", "Presse Süd/4")
        early.wait_until({"markwatch plant-1", "press-3", "Presse Süd/4"})
    with home(port) as late, Subscriber(port, "markwatch/#") as plant:
        held = late.wait_until({"markwatch plant-1", "press-3", "Presse Süd/4"})
        assert all(message.retain for message in late.messages)
        # What the devices read is really there, and retained.
        for told in held.values():
            (message, *_) = plant.wait_for(told["state_topic"])
            assert message.retain
    station, *cameras = sorted(held.values(), key=lambda told: "via_device" in told["device"])
    assert {each["device"]["via_device"] for each in cameras} == {*station["device"]["identifiers"]}


def test_option_when_switched_off_then_what_was_published_goes_and_nothing_else(
    mosquitto, tmp_path
):
    running = mosquitto()
    memory = tmp_path / "data/state/mqtt.home-assistant.json"

    def kept() -> dict:
        return json.loads(memory.read_text())

    with home(running.port) as seen:
        with make_sink(running.port, tmp_path) as sink:
            deliver(sink, "a", "b")
            seen.wait_until({"markwatch plant-1", "a", "b"})
        foreign = {"device": {"name": "boiler"}}
        seen._client.publish("homeassistant/device/boiler/config", json.dumps(foreign), 1, True)
        seen.wait_until({"markwatch plant-1", "a", "b", "boiler"})
        with make_sink(running.port, tmp_path, None):
            seen.wait_until({"boiler"})
            wait_until(lambda: kept()["topics"] == [], "forgotten")
    assert set(kept()["cameras"]) == {"a", "b"}
    with make_sink(running.port, tmp_path, None, client_id="again") as sink:
        deliver(sink, "a")
    assert running.connections("again") == 1
    assert running.connections("again-home-assistant") == 0


def test_prefix_when_it_changes_then_the_old_configs_go(mosquitto, tmp_path):
    port = mosquitto().port
    with Home(port, "#") as seen:
        with make_sink(port, tmp_path) as sink:
            deliver(sink, "a")
            seen.wait_until({"markwatch plant-1", "a"})
        with make_sink(port, tmp_path, {"prefix": "ha/two"}):
            seen.wait(
                lambda _: (
                    len(seen.held()) == 2
                    and all(topic.startswith("ha/two/device/") for topic in seen.held())
                )
            )


def test_camera_when_it_was_silent_too_long_then_it_goes_and_comes_back_with_a_picture(
    mosquitto, tmp_path
):
    port = mosquitto().port
    with home(port) as seen:
        with make_sink(port, tmp_path) as sink:
            receipt = deliver(sink, "gone", at=TODAY - timedelta(days=20))
            deliver(sink, "a")
            seen.wait_until({"markwatch plant-1", "gone", "a"})
        with make_sink(port, tmp_path, {"forget_days": 14}) as sink:
            sink.remember({"last": {**receipt.cursor["last"], "known-only": 3}})
            seen.wait_until({"markwatch plant-1", "a", "known-only"})
            deliver(sink, "gone")
            seen.wait_until({"markwatch plant-1", "a", "known-only", "gone"})


def test_broker_when_it_restarts_without_memory_then_all_is_published_again(mosquitto, tmp_path):
    running = mosquitto()
    cameras = [f"cam-{number:02d}" for number in range(45)]
    # More than a broker takes unacknowledged (its max_inflight_messages is 20).
    with make_sink(running.port, tmp_path) as sink:
        deliver(sink, *cameras)
        with home(running.port) as seen:
            seen.wait_until({"markwatch plant-1", *cameras})
        running.stop(kill=True)
        running.start()
        with home(running.port) as seen:
            seen.wait_until({"markwatch plant-1", *cameras})


def test_home_assistant_when_it_says_that_it_starts_then_all_is_published_again(
    mosquitto, tmp_path
):
    port = mosquitto().port
    with home(port) as seen, make_sink(port, tmp_path) as sink:
        deliver(sink, "a")
        seen.wait_until({"markwatch plant-1", "a"})
        count = len([m for m in seen.messages if m.topic.endswith("/config")])
        seen._client.publish("homeassistant/status", "offline", 0)
        seen._client.publish("homeassistant/status", "online", 0)
        seen.wait(
            lambda all_: sum(m.topic.endswith("/config") for m in all_) >= count + 2,
        )
        assert seen.names() == {"markwatch plant-1", "a"}


def test_rules_when_they_forbid_discovery_then_rows_are_delivered_and_the_log_says_it_once(
    mosquitto, tmp_path
):
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite markwatch/#\n")
    port = mosquitto("allow_anonymous true", f"acl_file {rules}").port
    with capture_logs() as logs, make_sink(port, tmp_path) as sink:
        deliver(sink, "a")
        deliver(sink, "b")
        told = threading.Event()
        for _ in range(int(DEADLINE_SECONDS / 0.05)):
            complaints = [entry for entry in logs if "home assistant" in entry["event"]]
            if complaints or told.wait(0.05):
                break
    assert len(complaints) == 1
    assert "not allowed: give this user the right to publish there" in complaints[0]["error"]


def test_exit_when_the_broker_is_away_then_it_is_quick_and_no_thread_is_left(tmp_path):
    before = set(threading.enumerate())
    with capture_logs(), make_sink(free_port(), tmp_path, connect_timeout_seconds=0.3):
        pass
    assert set(threading.enumerate()) == before


def test_exit_when_nothing_is_acknowledged_then_it_does_not_wait_for_that(tmp_path):
    before = set(threading.enumerate())
    with capture_logs(), Mute() as broker:
        with make_sink(broker.port, tmp_path, ack_timeout_seconds=60):
            wait_until(lambda: broker.connections == 2, "both connections")
            begun = time.monotonic()
        assert time.monotonic() - begun < 20
    assert set(threading.enumerate()) == before


def test_memory_when_damaged_then_discovery_begins_anew(mosquitto, tmp_path):
    port = mosquitto().port
    file = tmp_path / "data/state/mqtt.home-assistant.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"cameras": {"a": "yester')
    with home(port) as seen, make_sink(port, tmp_path) as sink:
        deliver(sink, "b")
        seen.wait_until({"markwatch plant-1", "b"})


@pytest.mark.parametrize(
    "options", [{"prefix": "a/#"}, {"birth_topic": ""}, {"forget_days": 0}, {"prefx": "x"}]
)
def test_options_when_home_assistant_could_not_take_them_then_they_are_refused(options):
    with pytest.raises(ValueError):
        MqttOptions(home_assistant=options)
