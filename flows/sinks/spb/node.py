"""An edge node without its network: what it sends, in which order, under which numbers.

`EdgeNode` holds the sequence number, the aliases and each metric's current value, and gives the
messages of a birth, of a row and of a death. A camera is a device and a recipe's field a folder of
metrics. Births list every metric ever sent; what is late never becomes a current value.
Source: Eclipse Sparkplug 3.0.0, chapters 4 to 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.files.filenames import for_topic
from flows.sinks.spb.encoding import DataType, Encoding, Metric, Payload, Value, Verb
from flows.sinks.spb.metrics import METRICS, of_row

REBIRTH = "Node Control/Rebirth"
_STATE = "Station/State"


@dataclass(frozen=True, slots=True)
class Publication:
    """One message for the broker; never retained."""

    topic: str
    payload: bytes
    qos: int = 0


@dataclass(slots=True)
class _Folder:
    """What is known of a field of a camera: the newest row's `seq` (0: none), its time, values."""

    seq: int = 0
    at: datetime | None = None
    values: Mapping[str, Value] | None = None


class EdgeNode:
    """The state of one edge node; used by one thread at a time."""

    def __init__(
        self, group: str, name: str, encoding: Encoding, about: Mapping[str, str] | None = None
    ) -> None:
        self.group, self.name = group, name
        self.encoding = encoding
        self._about = {f"Properties/{key}": value for key, value in (about or {}).items()}
        self._state = "online"
        self._devices: dict[str, dict[str, _Folder]] = {}
        self._aliases: dict[tuple[str | None, str], int] = {}
        self._bd_seq: int | None = None
        self._seq = 0
        # Devices and folders that the running session was told of.
        self._known: set[tuple[str, str]] = set()

    def __str__(self) -> str:
        return f"{self.group}/{self.name}"

    def topic(self, verb: Verb, device: str | None = None) -> str:
        """The topic of one of this node's messages."""
        return self.encoding.topic(self.group, verb, self.name, device)

    @property
    def is_born(self) -> bool:
        """Whether this session's births were made."""
        return self._bd_seq is not None

    def remember(self, cursor: Mapping[str, Any] | None) -> None:
        """Take in what `cursor` gave in an earlier life; what is newer here stays."""
        for device, folders in (cursor or {}).get("devices", {}).items():
            for field, kept in folders.items():
                folder = self._folder(device, field)
                if kept["seq"] > folder.seq:
                    folder.seq, folder.at = kept["seq"], _moment(kept["at"])
                    folder.values = {
                        name: _moment(value) if METRICS[name] is DataType.DATETIME else value
                        for name, value in kept["values"].items()
                        if name in METRICS
                    }

    def cursor(self) -> dict[str, Any]:
        """The cameras, their fields and current values, as JSON holds them."""
        return {
            "devices": {
                device: {
                    field: {
                        "seq": folder.seq,
                        "at": _text(folder.at),
                        "values": {
                            name: _text(value)
                            for name, value in (folder.values or {}).items()
                            if value is not None
                        },
                    }
                    for field, folder in folders.items()
                }
                for device, folders in self._devices.items()
            }
        }

    def note(self, row: Mapping[str, Any]) -> None:
        """Make a live row its field's current value, if it is the newest."""
        folder = self._folder(for_topic(row["camera"]), row["field"])
        if row["seq"] > folder.seq:
            folder.seq, folder.at, folder.values = row["seq"], row["read_at"], of_row(row)

    def death(self, bd_seq: int, now: datetime) -> Publication:
        """The NDEATH that is the last will of the next session, and its farewell."""
        metric = Metric(now, bd_seq, name="bdSeq", datatype=DataType.INT64)
        return Publication(
            self.topic("NDEATH"), self.encoding.encode(Payload(now, (metric,))), qos=1
        )

    def births(self, bd_seq: int, now: datetime) -> list[Publication]:
        """NBIRTH, numbered 0, and a DBIRTH for each camera: a new session, or a rebirth."""
        self._bd_seq = bd_seq
        self._known.clear()
        self._seq = self.encoding.sequence - 1
        metrics = [
            self._defined(None, "bdSeq", DataType.INT64, bd_seq, now),
            # No alias: a host that knows no alias of this node must be able to ask (5.17).
            Metric(now, False, name=REBIRTH, datatype=DataType.BOOLEAN),
            self._defined(None, _STATE, DataType.STRING, self._state, now),
            *(
                self._defined(None, name, DataType.STRING, value, now)
                for name, value in self._about.items()
            ),
        ]
        return [
            self._message("NBIRTH", metrics, now),
            *(self._device_birth(device, now) for device in self._devices),
        ]

    def tell(self, state: str, now: datetime) -> list[Publication]:
        """The NDATA of a new state of the station; nothing where it is not new or not born."""
        if state == self._state:
            return []
        self._state = state
        if not self.is_born:
            return []
        metric = Metric(now, state, alias=self._alias(None, _STATE), datatype=DataType.STRING)
        return [self._message("NDATA", [metric], now)]

    def data(self, row: Mapping[str, Any], is_late: bool, now: datetime) -> list[Publication]:
        """The DDATA of a row, after a DBIRTH where its camera or field is new to this session.

        Metrics carry the row's `read_at`, which goes with `seq`; the picture's own time, that a
        camera's clock may have wrong, is the metric `captured_at`.
        """
        device, field = for_topic(row["camera"]), row["field"]
        messages = []
        self._folder(device, field)
        if (device, field) not in self._known:
            messages.append(self._device_birth(device, now))
        metrics = [
            Metric(
                row["read_at"],
                _typed(METRICS[name], value),
                alias=self._alias(device, f"{field}/{name}"),
                datatype=METRICS[name],
                is_historical=is_late,
            )
            for name, value in of_row(row).items()
        ]
        return [*messages, self._message("DDATA", metrics, now, device)]

    def end(self) -> None:
        """The session is over: nothing is sent before new births."""
        self._bd_seq = None

    def is_rebirth(self, content: bytes) -> bool:
        """Whether an NCMD asks for a rebirth; any other, or a broken one, does not."""
        try:
            payload = self.encoding.decode(content)
        except ValueError:
            return False
        return any(metric.name == REBIRTH and metric.value is True for metric in payload.metrics)

    def _device_birth(self, device: str, now: datetime) -> Publication:
        metrics = []
        for field, folder in self._devices[device].items():
            self._known.add((device, field))
            at, values = folder.at or now, folder.values or {}
            metrics += [
                self._defined(device, f"{field}/{name}", datatype, values.get(name), at)
                for name, datatype in METRICS.items()
            ]
        return self._message("DBIRTH", metrics, now, device)

    def _message(
        self, verb: Verb, metrics: Iterable[Metric], now: datetime, device: str | None = None
    ) -> Publication:
        self._seq = (self._seq + 1) % self.encoding.sequence
        payload = Payload(now, tuple(metrics), self._seq)
        return Publication(self.topic(verb, device), self.encoding.encode(payload))

    def _defined(
        self, device: str | None, name: str, datatype: DataType, value: Value, at: datetime
    ) -> Metric:
        alias = self._alias(device, name)
        return Metric(at, _typed(datatype, value), name=name, alias=alias, datatype=datatype)

    def _alias(self, device: str | None, name: str) -> int:
        return self._aliases.setdefault((device, name), len(self._aliases) + 1)

    def _folder(self, device: str, field: str) -> _Folder:
        return self._devices.setdefault(device, {}).setdefault(field, _Folder())


def _typed(datatype: DataType, value: Value) -> Value:
    return float(value) if datatype is DataType.DOUBLE and isinstance(value, int) else value


def _text(value: Value) -> Value:
    return value.isoformat() if isinstance(value, datetime) else value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
