"""The broker is down for an hour of ten readings a second, and comes back while more are made.

Nothing may be lost or out of order within a camera's lane; the backlog must drain quickly; and what
is read while it drains must not wait behind it.
"""

from __future__ import annotations

import time

from brokers import Mosquitto, Subscriber
from faults.account import account
from faults.dripping import Drip
from faults.gate import Figures, Gate, Trial
from faults.hearing import Heard, heard_ids, insist_on_order, mosquitto, readings
from faults.pictures import RECIPE, SITE, Dropped, drop
from faults.progress import pending, wait_on
from plants import Plant

CAMERAS = 4
PER_SECOND = 10.0
OUTAGE_READINGS = 36_000
DRAIN_PER_SECOND = 500
LIVE_SECONDS = 2.0
LEAST_LIVE = 10
_TICK_SECONDS = 0.001
_FAILED_SINCE = (
    "SELECT 1 FROM sinks WHERE name='mqtt' AND error_at > (SELECT MAX(read_at) FROM rows)"
)
QUICK = f"""
log: {{level: warning}}
delivery: {{max_backoff_seconds: 2}}
{SITE}""".replace("threads: 2", "threads: 2, max_chunk: 32").replace(
    "settle_seconds: 12", "settle_seconds: 12, max_in_flight: 128"
)


def broker_down(trial: Trial) -> Figures:
    """Read an outage's pictures without a broker, start it, and listen to what comes."""
    count = trial.of(OUTAGE_READINGS, 500)
    with mosquitto(trial.folder) as broker:
        address = f"{{host: 127.0.0.1, port: {broker.port}, reconnect_max_seconds: 2}}"
        plant = trial.plant("plant", QUICK.replace("mqtt: null", f"mqtt: {address}"), RECIPE)
        dropped = [drop(plant.inbox(f"cam-{number % CAMERAS}"), number) for number in range(count)]
        plant.start()
        wait_on(plant, lambda: plant.reported() == count, "reading while the broker is away")
        # Rows are backlog from the first failure on that they waited out.
        wait_on(plant, lambda: plant.query(_FAILED_SINCE), "the sink to fail with all of them")
        later, heard, back = _come_back(plant, broker, count)
        trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
    account(plant, [*dropped, *later]).done()
    return _judge(trial, plant, heard, back)


GATE = Gate(2, "broker down", broker_down)


def _come_back(
    plant: Plant, broker: Mosquitto, count: int
) -> tuple[list[Dropped], list[Heard], float]:
    """Start the broker while pictures come.

    Returns what was dropped meanwhile, what was heard, and when the broker was there.
    """
    with Drip(plant, PER_SECOND, CAMERAS, first=count) as drip:
        broker.start()
        back = time.time()
        # Two: one that is slow to take in the backlog would hear late of what is new.
        with (
            Subscriber(broker.port, "markwatch/+/reading") as live,
            Subscriber(broker.port, "markwatch/+/late") as backlog,
        ):
            wait_on(
                plant,
                lambda: not pending(plant, "mqtt") and len(drip.dropped) >= LEAST_LIVE,
                "draining",
            )
            dropped = drip.stop()
            wait_on(plant, lambda: plant.reported() == count + len(dropped), "the last pictures")
            ids = set(plant.ledger_ids())
            wait_on(
                plant,
                lambda: ids <= heard_ids(live.messages) | heard_ids(backlog.messages),
                "hearing every row",
            )
            return dropped, readings([*live.messages, *backlog.messages]), back


def _judge(trial: Trial, plant: Plant, heard: list[Heard], back: float) -> Figures:
    insist_on_order(heard)
    late = [one for one in heard if one.lane == "late"]
    begin, end = min(one.at for one in heard), late[-1].at
    rate = len(late) / max(end - begin, _TICK_SECONDS)
    # Before the first message there was no connection, and nothing could have been quicker.
    live = [one for one in heard if begin < one.read_at.timestamp()]
    slowest = max((one.delay for one in live), default=LIVE_SECONDS)
    words = f"a new reading waited {slowest:.1f} s while {rate:.0f} messages/s drained"
    trial.expect_in_time(slowest < LIVE_SECONDS, words)
    trial.expect_in_time(rate >= DRAIN_PER_SECOND, f"the backlog drained at {rate:.0f} messages/s")
    return Figures(
        size=f"{len(late):,} readings behind, {CAMERAS} cameras",
        measured={
            "lost": 0,
            "out of order": 0,
            "repeats, same id": len(heard) - len(plant.ledger_ids()),
            "first message after the broker was back, s": begin - back,
            "drained, messages/s": rate,
            "new while it drained": sum(one.read_at.timestamp() < end for one in live),
            "slowest new one, commit to subscriber, s": slowest,
        },
    )
