"""Whether a broker keeps what subscribers miss while they are away, for `markwatch check`.

While the broker itself is away, rows wait in the ledger. While a subscriber is away (the SCADA
server restarts, a line of the network is cut), they wait in the broker's queue for its session, and
a broker drops what does not fit without telling the publisher. What MQTT 5 tells of the broker's
limits is held against the rows of the busiest hours so far; the length of its queues MQTT does not
tell, so it is read from mosquitto's configuration where that is at hand, and else said.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flows.configuration.settings import Layout
from flows.ledger.file import snapshot
from flows.sinks.mqtt_probe import Granted
from stages.errors import ConfigError

QUEUED_MESSAGES = 1000
"""What mosquitto 2 queues for a client unless it is told otherwise (mosquitto.conf(5))."""
ENVELOPE_BYTES = 512
"""More than what topic, labels and header add to a row's JSON."""
HOURS = {"h": 1, "d": 24, "w": 168, "m": 730, "y": 8760}


@dataclass(frozen=True, slots=True)
class Load:
    """What the ledger has seen: rows by hour of `read_at`, and the longest row's bytes."""

    by_hour: Mapping[datetime, int]
    longest_bytes: int

    def busiest(self, hours: float) -> int:
        """The most rows that were committed within so many whole hours, one after the other."""
        width = timedelta(hours=math.ceil(hours))
        most = within = 0
        span: deque[datetime] = deque()
        for hour in sorted(self.by_hour):
            span.append(hour)
            within += self.by_hour[hour]
            while span[0] <= hour - width:
                within -= self.by_hour[span.popleft()]
            most = max(most, within)
        return most


def load_of(layout: Layout) -> Load | None:
    """The load of a root; None before anything was read there.

    Raises:
        ConfigError: the ledger is damaged, or another markwatch wrote it.
    """
    if not layout.ledger.is_file():
        return None
    with snapshot(layout) as db:
        return _load(db)


def _load(db: sqlite3.Connection) -> Load | None:
    hours = {
        datetime.fromisoformat(f"{hour}:00:00+00:00"): count
        for hour, count in db.execute(
            "SELECT substr(read_at, 1, 13), COUNT(*) FROM rows GROUP BY 1"
        )
    }
    (longest,) = db.execute("SELECT MAX(LENGTH(CAST(record AS BLOB))) FROM rows").fetchone()
    return Load(hours, longest) if hours else None


def messages_missed(load: Load, hours: float, figures_seconds: float) -> int:
    """How many messages a subscriber to every topic misses in so many hours, at most.

    A row is a reading and may be the camera's `last` too; the status comes every so often.
    """
    statuses = math.ceil(hours * 3600 / figures_seconds) if figures_seconds else 0
    return 2 * load.busiest(hours) + statuses


def shortcomings(
    granted: Granted | None,
    load: Load | None,
    config: Path | None,
    *,
    hours: float,
    figures_seconds: float,
) -> Iterator[str]:
    """What the broker would drop when subscribers are away for `hours`: a line each, with a remedy.

    Raises:
        ConfigError: the configuration file cannot be read.
    """
    if granted is not None:
        yield from _of_grant(granted, load, hours)
    needed = None if load is None else messages_missed(load, hours, figures_seconds)
    if config is not None:
        yield from _of_config(_read(config), config, needed, hours)
    elif needed is not None and needed > QUEUED_MESSAGES:
        yield (
            f"a subscriber that is away for {hours:g} h misses up to {needed} messages, by the "
            f"busiest {hours:g} h so far; MQTT does not tell how many the broker queues: see that "
            f"it is as many (mosquitto: max_queued_messages, {QUEUED_MESSAGES} unless set), or "
            "give broker_config"
        )


def _of_grant(granted: Granted, load: Load | None, hours: float) -> Iterator[str]:
    if not granted.retains:
        yield "the broker retains nothing, so `last` and the status are lost: allow it there"
    if granted.session_seconds < hours * 3600:
        yield (
            f"the broker ends a session after {granted.session_seconds / 3600:g} h: a subscriber "
            f"that is away for {hours:g} h loses its queue; raise its session expiry"
        )
    longest = load and load.longest_bytes + ENVELOPE_BYTES
    if granted.packet_bytes is not None and longest and longest > granted.packet_bytes:
        yield (
            f"the broker takes packets of {granted.packet_bytes} bytes, the longest row so far "
            f"needs {longest}: raise its maximum packet size, or such rows are refused"
        )
    if granted.receive_maximum < 10:
        yield (
            f"the broker takes only {granted.receive_maximum} messages at a time, so a backlog "
            "drains slowly: raise its receive maximum"
        )


def _of_config(
    config: Mapping[str, str], path: Path, needed: int | None, hours: float
) -> Iterator[str]:
    try:
        queue = int(config.get("max_queued_messages", QUEUED_MESSAGES))
        most_bytes = int(config.get("max_queued_bytes", 0))
    except ValueError:
        raise ConfigError(f"{path}: max_queued_messages or max_queued_bytes is no number") from None
    if needed is not None and 0 < queue < needed:
        yield (
            f"{path}: max_queued_messages {queue} is less than the {needed} messages that a "
            f"subscriber misses in {hours:g} h: set it to {needed}, or it drops the rest"
        )
    if most_bytes:
        yield f"{path}: max_queued_bytes {most_bytes} may drop messages sooner than their number"
    if config.get("persistence", "false") != "true":
        yield f"{path}: persistence is off: a restart of the broker drops every queue; turn it on"
    limit = re.fullmatch(r"(\d+)([hdwmy])", config.get("persistent_client_expiration", ""))
    if limit and int(limit[1]) * HOURS[limit[2]] < hours:
        yield (
            f"{path}: persistent_client_expiration {limit[0]} ends the session of a subscriber "
            f"that is away for {hours:g} h: lengthen it"
        )
    if "include_dir" in config:
        yield f"{path}: what is under include_dir was not read"


def _read(path: Path) -> dict[str, str]:
    """The settings of a mosquitto.conf, by name; the last of each counts."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigError(
            f"broker_config {path} cannot be read ({error.strerror}): correct it, or set it to null"
        ) from error
    found = {}
    for line in lines:
        name, _, value = line.strip().partition(" ")
        if name and not name.startswith("#"):
            found[name] = value.strip()
    return found
