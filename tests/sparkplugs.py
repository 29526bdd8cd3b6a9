"""What a Sparkplug host makes of messages: it decodes them by itself, and judges their order.

`decode` reads the wire format of Protocol Buffers by the specification's field numbers alone, with
nothing of markwatch's encoder. `judge` walks messages as a host would and names the assertion
(`tck-id-...`) that one breaks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

INT32, INT64, DOUBLE, BOOLEAN, STRING, DATETIME = 3, 4, 10, 11, 12, 13
VALUE_FIELD = {INT32: 10, INT64: 11, DATETIME: 11, DOUBLE: 13, BOOLEAN: 14, STRING: 15}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of one message (protobuf.dev, Encoding): number, and integer or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
            value, at = data[at : at + size], at + size
        yield number, value


@dataclass(frozen=True)
class HeardMetric:
    name: str | None
    alias: int | None
    timestamp: int | None
    datatype: int | None
    is_historical: bool
    is_null: bool
    value_field: int | None
    value: Any


@dataclass(frozen=True)
class HeardPayload:
    timestamp: int | None
    seq: int | None
    metrics: tuple[HeardMetric, ...]

    def named(self, name: str) -> HeardMetric:
        (found,) = [metric for metric in self.metrics if metric.name == name]
        return found


def decode(data: bytes) -> HeardPayload:
    """A payload by the field numbers of the specification's 6.4.1."""
    timestamp = seq = None
    metrics = []
    for number, value in _fields(data):
        if number == 1:
            timestamp = value
        elif number == 2:
            metrics.append(_metric(value))
        elif number == 3:
            seq = value
    return HeardPayload(timestamp, seq, tuple(metrics))


def _metric(data: bytes) -> HeardMetric:
    found = dict(_fields(data))
    kind = next((number for number in found if number >= 10), None)
    value = found.get(kind)
    if kind == 13:
        (value,) = struct.unpack("<d", value)
    elif kind == 14:
        value = bool(value)
    elif kind == 15:
        value = value.decode()
    name = found.get(1)
    return HeardMetric(
        name=name.decode() if name is not None else None,
        alias=found.get(2),
        timestamp=found.get(3),
        datatype=found.get(4),
        is_historical=bool(found.get(5)),
        is_null=bool(found.get(7)),
        value_field=kind,
        value=value,
    )


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False

    @property
    def levels(self) -> list[str]:
        return self.topic.split("/")

    @property
    def verb(self) -> str:
        return self.levels[2]

    @property
    def device(self) -> str | None:
        return self.levels[4] if len(self.levels) > 4 else None

    @property
    def decoded(self) -> HeardPayload:
        return decode(self.payload)


@dataclass
class Verdict:
    """What a host makes of a node's messages."""

    broken: list[str] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)

    def check(self, is_right: bool, *assertions: str) -> None:
        for assertion in assertions:
            self.checked.add(assertion)
            if not is_right:
                self.broken.append(assertion)


def judge(messages: Sequence[Message]) -> Verdict:
    """Walk a node's messages as a host does; every rule is named by its assertion."""
    verdict = Verdict()
    node: tuple[str, str] | None = None
    seq: int | None = None
    bd_seq: int | None = None
    aliases: dict[int, tuple[str | None, str, int]] = {}
    devices: set[str] = set()
    known: set[str] = set()
    has_data = False
    for message in messages:
        verb, payload = message.verb, message.decoded
        rule = f"payloads-{verb.lower()}"
        verdict.check(message.levels[0] == "spBv1.0", "topic-structure-namespace-a")
        verdict.check(
            (len(message.levels) == 5) == verb.startswith("D"),
            "topic-structure-namespace-device-id-associated-message-types",
            "topic-structure-namespace-device-id-non-associated-message-types",
        )
        verdict.check(not message.retain, f"{rule}-retain")
        if verb == "NDEATH":
            verdict.check(payload.seq is None, "topics-ndeath-seq", "payloads-ndeath-seq")
            names = [metric.name for metric in payload.metrics]
            verdict.check(names == ["bdSeq"], "topics-ndeath-payload")
            if bd_seq is not None and payload.metrics[0].value == bd_seq:
                node = seq = None
            continue
        verdict.check(message.qos == 0, f"topics-{verb.lower()}-mqtt", f"{rule}-qos")
        verdict.check(payload.timestamp is not None, f"{rule}-timestamp")
        verdict.check(payload.seq is not None, "payloads-sequence-num-always-included")
        verdict.check(
            all(metric.timestamp is not None for metric in payload.metrics),
            "payloads-name-birth-data-requirement",
        )
        verdict.check(
            all(metric.is_null == (metric.value_field is None) for metric in payload.metrics),
            "operational-behavior-data-publish-nbirth-values",
            "operational-behavior-data-publish-dbirth-values",
        )
        if verb == "NBIRTH":
            verdict.check(
                payload.seq == 0, "topics-nbirth-seq-num", "payloads-sequence-num-zero-nbirth"
            )
            number = payload.named("bdSeq")
            verdict.check(number.datatype == INT64, "payloads-nbirth-bdseq")
            verdict.check(
                bd_seq is None or number.value == (bd_seq if node is not None else number.value),
                "operational-behavior-data-commands-rebirth-action-3",
            )
            rebirth = payload.named("Node Control/Rebirth")
            verdict.check(
                rebirth.datatype == BOOLEAN,
                "operational-behavior-data-commands-rebirth-name",
                "operational-behavior-data-commands-rebirth-datatype",
            )
            verdict.check(
                rebirth.value is False,
                "operational-behavior-data-commands-rebirth-value",
                "payloads-nbirth-rebirth-req",
            )
            verdict.check(
                rebirth.alias is None, "operational-behavior-data-commands-rebirth-name-aliases"
            )
            node, bd_seq, seq = (message.levels[1], message.levels[3]), number.value, 0
            aliases, devices, has_data = {}, set(), False
        else:
            verdict.check(
                node is not None,
                "principles-birth-certificates-order",
                "message-flow-device-birth-publish-nbirth-wait",
            )
            verdict.check(
                seq is not None and payload.seq == (seq + 1) % 256,
                "payloads-sequence-num-incrementing",
                f"{rule}-seq-inc",
            )
            verdict.check(
                node == (message.levels[1], message.levels[3]),
                "message-flow-device-birth-publish-dbirth-match-edge-node-topic",
            )
            seq = payload.seq
        if verb in ("NBIRTH", "DBIRTH"):
            names = [metric.name for metric in payload.metrics]
            verdict.check(None not in names and len(set(names)) == len(names), f"{rule}-names")
            lower = {str(name).lower() for name in names}
            verdict.check(len(lower) == len(names), "case-sensitivity-metric-names")
            verdict.check(
                all(metric.datatype in VALUE_FIELD for metric in payload.metrics),
                "payloads-metric-datatype-req",
                "payloads-metric-datatype-value",
            )
            verdict.check(
                all(
                    metric.is_null or metric.value_field == VALUE_FIELD[metric.datatype]
                    for metric in payload.metrics
                ),
                f"topics-{verb.lower()}-metrics",
            )
            given = {
                metric.alias: (message.device, metric.name, metric.datatype)
                for metric in payload.metrics
                if metric.name != "Node Control/Rebirth"
            }
            verdict.check(
                None not in given and len(given) >= len(names) - 1,
                "payloads-alias-birth-requirement",
            )
            verdict.check(
                all(aliases.get(alias, what) == what for alias, what in given.items()),
                "payloads-alias-uniqueness",
            )
            aliases.update(given)
            if message.device is not None:
                devices.add(message.device)
                known.add(message.device)
        else:
            if not has_data:
                verdict.check(known <= devices, "payloads-dbirth-order", f"{rule}-order")
            has_data = True
            if verb == "DDATA":
                verdict.check(message.device in devices, "payloads-ddata-order")
            verdict.check(
                all(metric.name is None for metric in payload.metrics),
                "payloads-alias-data-cmd-requirement",
            )
            verdict.check(
                all(metric.datatype is None for metric in payload.metrics),
                "payloads-metric-datatype-not-req",
            )
            verdict.check(
                all(
                    metric.alias in aliases and aliases[metric.alias][0] == message.device
                    for metric in payload.metrics
                ),
                "topics-dbirth-metric-reqs",
                "operational-behavior-data-publish-dbirth",
            )
            verdict.check(
                all(
                    metric.is_null or metric.value_field == VALUE_FIELD[aliases[metric.alias][2]]
                    for metric in payload.metrics
                    if metric.alias in aliases
                ),
                "payloads-metric-datatype-value-type",
            )
    return verdict


def rows_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The rows that a host reads from DDATA, by the births' aliases; `late` says historical."""
    names: dict[int, str] = {}
    found = []
    for message in messages:
        payload = message.decoded
        if message.verb in ("NBIRTH", "DBIRTH"):
            names |= {m.alias: m.name for m in payload.metrics if m.alias is not None}
        elif message.verb == "DDATA":
            row: dict[str, Any] = {
                names[metric.alias].rsplit("/", 1)[1]: metric.value for metric in payload.metrics
            }
            folders = {names[metric.alias].rsplit("/", 1)[0] for metric in payload.metrics}
            (row["field"],) = folders
            row["device"] = message.device
            row["late"] = all(metric.is_historical for metric in payload.metrics)
            found.append(row)
    return found


def rebirth_command(value: bool = True) -> bytes:
    """An NCMD payload with `Node Control/Rebirth`, byte by byte."""
    name = b"Node Control/Rebirth"
    metric = b"\x0a" + bytes([len(name)]) + name + b"\x20\x0b" + b"\x70" + bytes([value])
    return b"\x08\x01\x12" + bytes([len(metric)]) + metric
