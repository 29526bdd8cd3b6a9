"""What a Sparkplug message is, and how it becomes bytes: the only module that knows the payload.

`Encoding` is what the node and the session need of a version of Sparkplug: its namespace, how its
sequence numbers run, its bytes. `SparkplugB` is version 3.0's; the next one (other namespace, other
numbers, nanoseconds) is another class with these methods.
Source: Eclipse Sparkplug 3.0.0, chapters 4 (topics) and 6 (payloads).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, Protocol

from flows.files.filenames import for_topic

if TYPE_CHECKING:
    from flows.sinks.spb import sparkplug_b_pb2

Value = str | int | float | bool | datetime | None
Verb = Literal["NBIRTH", "NDEATH", "NDATA", "NCMD", "DBIRTH", "DDATA"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class DataType(IntEnum):
    """The types of a metric that are used here (6.4.16, Data Types)."""

    INT32 = 3
    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13


_DATATYPES = frozenset(int(each) for each in DataType)


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of a message; what is None is left out, but a `value` of None is told as null.

    Its `datatype` is told with the `name` only: data that goes by an alias was defined in a birth.
    """

    timestamp: datetime | None
    value: Value
    name: str | None = None
    alias: int | None = None
    datatype: DataType | None = None
    is_historical: bool = False


@dataclass(frozen=True, slots=True)
class Payload:
    """One message: when it was sent, its sequence number (none for a death), its metrics."""

    timestamp: datetime | None
    metrics: tuple[Metric, ...]
    seq: int | None = None


class Encoding(Protocol):
    """A version of Sparkplug."""

    namespace: str
    sequence: int
    """How many sequence numbers there are; the one after the last is 0."""

    def topic(self, group: str, verb: Verb, node: str, device: str | None = None) -> str:
        """The topic of a message; names are made fit for a level of a topic."""
        ...

    def host_topic(self, host: str) -> str:
        """The topic on which a host application tells its state."""
        ...

    def encode(self, payload: Payload) -> bytes:
        """The bytes of a message."""
        ...

    def decode(self, content: bytes) -> Payload:
        """The message that these bytes are, with times as aware datetimes.

        Raises:
            ValueError: they are none.
        """
        ...


class SparkplugB:
    """Sparkplug 3.0: `spBv1.0`, numbers 0 to 255, Protocol Buffers, milliseconds."""

    namespace = "spBv1.0"
    sequence = 256

    def topic(self, group: str, verb: Verb, node: str, device: str | None = None) -> str:
        """The topic of a message (4.1, Topic Namespace Elements)."""
        levels = [group, verb, node] if device is None else [group, verb, node, device]
        return "/".join([self.namespace, *map(for_topic, levels)])

    def host_topic(self, host: str) -> str:
        """The topic on which a host application tells its state (4.2.3)."""
        return f"{self.namespace}/STATE/{for_topic(host)}"

    def encode(self, payload: Payload) -> bytes:
        """The bytes of a message (6.4.1, Google Protocol Buffer Schema)."""
        from flows.sinks.spb import sparkplug_b_pb2

        message = sparkplug_b_pb2.Payload()
        if payload.timestamp is not None:
            message.timestamp = _milliseconds(payload.timestamp)
        if payload.seq is not None:
            message.seq = payload.seq
        for metric in payload.metrics:
            _fill(message.metrics.add(), metric)
        return message.SerializeToString()

    def decode(self, content: bytes) -> Payload:
        """The message that these bytes are.

        Raises:
            ValueError: they are none.
        """
        from google.protobuf.message import DecodeError

        from flows.sinks.spb import sparkplug_b_pb2

        message = sparkplug_b_pb2.Payload()
        try:
            message.ParseFromString(content)
            return Payload(
                timestamp=_moment(message.timestamp) if message.HasField("timestamp") else None,
                metrics=tuple(_metric(each) for each in message.metrics),
                seq=message.seq if message.HasField("seq") else None,
            )
        except (DecodeError, OverflowError) as error:
            raise ValueError("not a Sparkplug B payload") from error


def _fill(message: sparkplug_b_pb2.Payload.Metric, metric: Metric) -> None:
    if metric.name is not None:
        message.name = metric.name
        if metric.datatype is not None:
            message.datatype = metric.datatype
    if metric.alias is not None:
        message.alias = metric.alias
    if metric.timestamp is not None:
        message.timestamp = _milliseconds(metric.timestamp)
    if metric.is_historical:
        message.is_historical = True
    match metric.value:
        case None:
            message.is_null = True
        case bool():
            message.boolean_value = metric.value
        case str():
            message.string_value = metric.value
        case float():
            message.double_value = metric.value
        case datetime():
            message.long_value = _milliseconds(metric.value)
        case int() if metric.datatype is DataType.INT32:
            # Both integers of the wire are unsigned; a negative one is its two's complement.
            message.int_value = metric.value % 2**32
        case int():
            message.long_value = metric.value % 2**64


def _metric(message: sparkplug_b_pb2.Payload.Metric) -> Metric:
    kind = message.WhichOneof("value")
    value = None if kind is None or message.is_null else getattr(message, kind)
    datatype = None
    if message.HasField("datatype") and message.datatype in _DATATYPES:
        datatype = DataType(message.datatype)
    if value is not None and datatype is DataType.DATETIME:
        value = _moment(value)
    return Metric(
        timestamp=_moment(message.timestamp) if message.HasField("timestamp") else None,
        value=value,
        name=message.name if message.HasField("name") else None,
        alias=message.alias if message.HasField("alias") else None,
        datatype=datatype,
        is_historical=message.is_historical,
    )


def _milliseconds(moment: datetime) -> int:
    # A picture's own time may lie before 1970; Sparkplug's times are unsigned.
    return max(0, (moment - _EPOCH) // _MILLISECOND)


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
