"""A real broker for a gate, and what a subscriber of it heard, as rows with the time of hearing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as paho
from brokers import Mosquitto, find_mosquitto
from faults.gate import BrokenError, NotHereError

from flows import vocabulary

LINES = (
    "allow_anonymous true",
    # What a subscriber is behind by must wait, not be dropped: that is mosquitto's default.
    "max_queued_messages 0",
    "log_type none",
    "log_type information",
    "log_type notice",
)
LANES = ("reading", "late", "failed")


@dataclass(frozen=True, slots=True)
class Heard:
    """A reading as a subscriber got it: on which lane, and when (seconds since the epoch)."""

    lane: str
    camera: str
    seq: int
    id: str
    read_at: datetime
    at: float

    @property
    def delay(self) -> float:
        """Seconds from the commit to the subscriber."""
        return self.at - self.read_at.timestamp()


@contextmanager
def mosquitto(folder: Path, lines: Sequence[str] = ()) -> Iterator[Mosquitto]:
    """A mosquitto that is configured but not started; it ends with the block.

    Raises:
        NotHereError: there is none on this machine.
    """
    try:
        find_mosquitto()
    except BaseException as error:
        raise NotHereError(str(error)) from error
    broker = Mosquitto(folder, (*LINES, *lines))
    try:
        yield broker
    finally:
        broker.stop()


def heard_ids(messages: Iterable[paho.MQTTMessage]) -> set[str]:
    """The ids of the readings among these messages."""
    return {
        dict(message.properties.UserProperty)["id"]
        for message in list(messages)
        if message.topic.rsplit("/", 1)[1] in LANES
    }


def readings(messages: Iterable[paho.MQTTMessage]) -> list[Heard]:
    """The readings among these messages, in the order in which they were heard."""
    # paho stamps what it receives with the monotonic clock.
    epoch = time.time() - time.monotonic()
    found = []
    for message in messages:
        lane = message.topic.rsplit("/", 1)[1]
        if lane in LANES:
            row = vocabulary.from_json(message.payload)
            at = epoch + message.timestamp
            found.append(Heard(lane, row["camera"], row["seq"], row["id"], row["read_at"], at))
    return found


def insist_on_order(heard: Iterable[Heard]) -> None:
    """Raises `BrokenError` unless each lane of each camera came in order, repeats left aside."""
    newest: dict[tuple[str, str], int] = defaultdict(int)
    known: set[str] = set()
    for one in heard:
        if one.id in known:
            continue
        known.add(one.id)
        if one.seq < newest[one.camera, one.lane]:
            before = newest[one.camera, one.lane]
            raise BrokenError(f"{one.camera}, {one.lane}: {one.seq} came after {before}")
        newest[one.camera, one.lane] = one.seq
