"""What Home Assistant is told of a station: a device for it and one for each camera. Pure.

Each device is one retained message that lists its entities; they read the topics that there are
anyway, so nothing is published twice. A camera's state is its retained `last`, the station's its
retained status, whose last will makes every entity unavailable.
Source: home-assistant.io/integrations/mqtt, "MQTT Discovery", device discovery (from 2024.11 on).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, get_args

from flows.files.filenames import for_topic, printable
from flows.sinks.mqtt_client import Message
from stages.records import Status

STATES = ("online", "draining", "stopped", "offline")
_ALIVE = "value_json.state in ['online', 'draining']"
_NOT_IN_IDS = re.compile(r"[^a-z0-9]+")
_SLUG_CHARACTERS = 40
_ATTRIBUTES = (
    "id",
    "seq",
    "field",
    "image",
    "status",
    "reason",
    "confidence",
    "candidate",
    "text",
    "expected",
    "match",
    "reply",
    "revision",
    "read_at",
)
"""Of a row; its list of characters would fill Home Assistant's history."""


@dataclass(frozen=True, slots=True)
class Devices:
    """Makes the messages of one station: `prefix` is Home Assistant's, `root` our topics'."""

    station: str
    root: str
    prefix: str

    def station_device(self) -> Message:
        """The station: whether it is connected, its backlog, and what wants attention."""
        alive = f"{{{{ 'ON' if {_ALIVE} else 'OFF' }}}}"
        entities = {
            "connection": _binary("Connection", "connectivity", alive),
            "state": {
                **_sensor("State", "{{ value_json.state }}"),
                "device_class": "enum",
                "options": list(STATES),
            },
            "backlog": _figure(
                "Backlog",
                "{{ value_json.sinks.values() | map(attribute='pending') | max"
                " if value_json.sinks is defined else None }}",
                unit="rows",
                state_class="measurement",
            ),
            "attention": {
                **_binary(
                    "Attention",
                    "problem",
                    "{{ None if value_json.conditions is not defined else 'ON' if"
                    " value_json.conditions or not value_json.balanced else 'OFF' }}",
                ),
                "json_attributes_topic": self._status,
                "json_attributes_template": "{{ value_json.conditions | default({}) | tojson }}",
            },
            "read": _counted("Pictures read", "reported"),
            "failed": _counted("Pictures failed", "failed"),
        }
        for key, entity in entities.items():
            entity["entity_category"] = "diagnostic"
            # These two say that the station is away; the others do not know then.
            if key not in ("connection", "state"):
                entity["availability"] = self._availability
        about = {"name": f"markwatch {printable(self.station)}", "model": "station"}
        return self._config(self._id(), about, entities, self._status)

    def camera_device(self, camera: str) -> Message:
        """A camera: its newest code with the rest of the row, its confidence, its status."""
        last = f"{self.root}/{for_topic(camera)}/last"
        entities = {
            "code": {
                **_sensor("Code", "{{ value_json.code }}"),
                # The same code twice is two parts.
                "force_update": True,
                "icon": "mdi:barcode-scan",
                "json_attributes_topic": last,
                "json_attributes_template": _picked(_ATTRIBUTES),
            },
            "confidence": {
                **_sensor(
                    "Confidence",
                    "{{ None if value_json.confidence is none"
                    " else (value_json.confidence * 100) | round(2) }}",
                ),
                "unit_of_measurement": "%",
                "state_class": "measurement",
                "suggested_display_precision": 1,
                "force_update": True,
            },
            "status": {
                **_sensor("Status", "{{ value_json.status }}"),
                "device_class": "enum",
                "options": list(get_args(Status)),
            },
            "read_at": {
                **_sensor("Last reading", "{{ value_json.read_at }}"),
                "device_class": "timestamp",
            },
        }
        for entity in entities.values():
            entity["availability"] = self._availability
        about = {"name": printable(camera), "model": "camera", "via_device": self._id()}
        return self._config(self._id(camera), about, entities, last)

    @property
    def _status(self) -> str:
        return f"{self.root}/_station/{for_topic(self.station)}/status"

    @property
    def _availability(self) -> list[dict[str, str]]:
        template = f"{{{{ 'online' if {_ALIVE} else 'offline' }}}}"
        return [{"topic": self._status, "value_template": template}]

    def _id(self, camera: str | None = None) -> str:
        """Letters, digits and `_`, the same for ever, and another one for every other name.

        The words are for people; the digest tells names apart that differ in other characters.
        """
        names = [self.station] if camera is None else [self.station, camera]
        words = "_".join(
            _NOT_IN_IDS.sub("_", name.lower()).strip("_")[:_SLUG_CHARACTERS] for name in names
        ).strip("_")
        whole = "\0".join(names).encode("utf-8", "surrogateescape")
        return "_".join(filter(None, ("markwatch", words, hashlib.sha256(whole).hexdigest()[:8])))

    def _config(
        self, key: str, about: dict[str, str], entities: dict[str, dict[str, Any]], state: str
    ) -> Message:
        content = {
            "device": {
                "identifiers": [key],
                "manufacturer": "markwatch",
                "sw_version": version("markwatch"),
                **about,
            },
            "origin": {"name": "markwatch", "sw_version": version("markwatch")},
            "state_topic": state,
            "qos": 1,
            "components": {
                name: {**entity, "unique_id": f"{key}_{name}"} for name, entity in entities.items()
            },
        }
        return Message(
            topic=f"{self.prefix}/device/{key}/config",
            payload=json.dumps(content, ensure_ascii=False).encode(),
            retain=True,
        )


def removal(topic: str) -> Message:
    """The empty message that takes a device away again."""
    return Message(topic=topic, payload=b"", retain=True)


def _sensor(name: str, template: str) -> dict[str, Any]:
    return {"platform": "sensor", "name": name, "value_template": template}


def _binary(name: str, device_class: str, template: str) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": device_class,
        "value_template": template,
    }


def _figure(name: str, template: str, unit: str, state_class: str) -> dict[str, Any]:
    return {
        **_sensor(name, template),
        "unit_of_measurement": unit,
        "state_class": state_class,
    }


def _counted(name: str, key: str) -> dict[str, Any]:
    # Without figures (`figures_seconds: 0`, a will) the status has no images.
    template = f"{{{{ value_json.images.{key} if value_json.images is defined else None }}}}"
    return _figure(name, template, unit="pictures", state_class="total_increasing")


def _picked(keys: tuple[str, ...]) -> str:
    pairs = ", ".join(f"'{key}': value_json.{key}" for key in keys)
    return f"{{{{ {{{pairs}}} | tojson }}}}"
