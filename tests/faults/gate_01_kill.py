"""SIGKILL at seeded moments of a run, to the whole process group, as a power switch would.

Most kills come just before a chosen change of a file or folder (`shim.py`), so they fall into the
claim, the ledger's commits, each sink and the filing; the others at a random time, some of them
while a supervised worker reads. MQTT goes to a real mosquitto, with a subscriber.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter, defaultdict
from pathlib import Path

from brokers import Mosquitto, Subscriber, find_mosquitto
from faults.account import account
from faults.gate import Figures, Gate, NotHereError, Trial
from faults.pictures import RECIPE, SITE, Dropped, drop
from faults.shim import shimmed
from plants import Plant

from flows import vocabulary

PICTURES_A_LIFE = 10
CAMERAS = 4
CHANGES_A_LIFE = 600
"""About so many changes of files a life makes; later kills never come, and that life is killed."""

LONGEST_SECONDS = 2.0
WORKER_SHARE = 0.06
TIMED_SHARE = 0.25
WORDS = ("reading", "late", "failed")


def kill(trial: Trial) -> Figures:
    """Kill a run again and again, then let it finish and close the account."""
    lives = trial.of(200, 3)
    plant = trial.plant("plant", SITE, RECIPE)
    dropped: list[Dropped] = []
    fell: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        broker = _broker(trial.folder)
        stack.callback(broker.stop)
        subscriber = stack.enter_context(Subscriber(broker.port))
        for life in range(lives):
            for _ in range(PICTURES_A_LIFE):
                number = len(dropped)
                dropped.append(drop(plant.inbox(f"cam-{number % CAMERAS}"), number))
            fell[_live_and_die(trial, plant, broker.port, worker=_is_worker(trial, life))] += 1
        plant.configure(_site(broker.port, worker=False), recipe=RECIPE)
        plant.start("--once")
        status = plant.finish()
        trial.expect(status == 0, f"the last run ended with {status}: {plant.log[-3:]}")
        heard = [json.loads(message.payload) for message in _readings(subscriber)]
    closed = account(plant, dropped).done()
    repeats = _check_messages(trial, plant, heard)
    return Figures(
        size=f"{lives:,} kills, {len(dropped):,} pictures",
        measured={
            "delivered": closed.delivered,
            "lost": 0,
            "repeated rows": 0,
            "MQTT repeats, same id": repeats,
            "killed in": ", ".join(f"{where} {count}" for where, count in fell.most_common()),
        },
    )


GATE = Gate(1, "SIGKILL", kill)


def _broker(folder: Path) -> Mosquitto:
    try:
        find_mosquitto()
    except BaseException as error:
        raise NotHereError(str(error)) from error
    return Mosquitto(folder).start()


def _is_worker(trial: Trial, life: int) -> bool:
    return life == 1 or trial.chance.random() < WORKER_SHARE


def _site(port: int, *, worker: bool) -> str:
    site = SITE.replace("mqtt: null", f"mqtt: {{host: 127.0.0.1, port: {port}}}")
    return site.replace("scheduler: threads", "scheduler: worker") if worker else site


def _live_and_die(trial: Trial, plant: Plant, port: int, *, worker: bool) -> str:
    """One life; returns where it ended."""
    plant.configure(_site(port, worker=worker), recipe=RECIPE)
    timed = worker or trial.chance.random() < TIMED_SHARE
    if timed:
        plant.start()
        plant.wait_for("watching")
        threading.Event().wait(trial.chance.uniform(0, LONGEST_SECONDS))
        plant.kill()
        return "a worker's run" if worker else "a random time"
    plant.start(**shimmed(plant.root, kill=trial.chance.randint(1, CHANGES_A_LIFE)))
    with contextlib.suppress(AssertionError):
        plant.wait_until(lambda: plant.ended() or _idle(plant), "the kill")
    plant.kill()
    told = [line["event"] for line in plant.log if line["event"].startswith("killed before ")]
    return _place(told[0].split(" ", 3)[3]) if told else "idleness"


def _idle(plant: Plant) -> bool:
    """Whether this life did all that there was to do before its kill came."""
    inbox = any(plant.filed("inbox"))
    return bool(plant.logged("watching")) and not inbox and not plant.claimed("1")


def _place(path: str) -> str:
    for part in ("ledger", "csv", "parquet", "work", "archive", "failed", "inbox", "state"):
        if part in path:
            return part
    return "elsewhere"


def _readings(subscriber: Subscriber) -> list:
    return [m for m in subscriber.messages if m.topic.rsplit("/", 1)[1] in WORDS]


def _check_messages(trial: Trial, plant: Plant, heard: list[dict]) -> int:
    """Every row was heard, each picture under one id and `seq`; returns how many were repeats."""
    ledger = dict(plant.query("SELECT id, seq FROM rows"))
    by_image: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for row in map(vocabulary.from_json, map(json.dumps, heard)):
        by_image[row["image"]].add((row["id"], row["seq"]))
    twice = [image for image, keys in by_image.items() if len(keys) > 1]
    trial.expect(not twice, f"{twice[:3]} were told under more than one id")
    told = {key: seq for keys in by_image.values() for key, seq in keys}
    trial.expect(told == ledger, f"MQTT and the ledger differ: {len(told)} and {len(ledger)} ids")
    return len(heard) - len(told)
