"""Cameras that fall silent: on a thread of its own, each one's last picture is looked at."""

from __future__ import annotations

import sqlite3
import threading
from datetime import datetime, timedelta
from typing import Self

import structlog

from flows import vocabulary
from flows.care.silence import EXPECTED, GONE, WEEKS, is_unusual
from flows.care.silence_options import SilenceOptions
from flows.clocks import Clocks
from flows.ledger.log import Ledger
from stages.errors import ConfigError

TELLER = "silence"
EVERY_SECONDS = 30.0


class Listening:
    """Tells of silent cameras in the ledger's conditions, for as long as its block lasts."""

    def __init__(self, ledger: Ledger, options: SilenceOptions, clocks: Clocks) -> None:
        self._ledger = ledger
        self._options = options
        self._clocks = clocks
        self._began = clocks.now()
        # What an earlier run told is not known, and over unless it is told again.
        self._told: set[str] | None = None
        self._stop = threading.Event()
        self._log = structlog.get_logger("markwatch.silence")
        self._thread = threading.Thread(target=self._run, name="silence", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self.listen()
            except (OSError, sqlite3.Error, ConfigError) as error:
                # The ledger's disk is full or away: the flow itself says so.
                self._log.debug("cannot look for silent cameras", error=str(error))
            if self._stop.wait(EVERY_SECONDS):
                return

    def listen(self) -> None:
        """Look at every camera once.

        Raises:
            sqlite3.Error: the ledger cannot be read or written.
        """
        now = self._clocks.now()
        told = {}
        with self._ledger.snapshot() as db:
            for (camera,) in db.execute("SELECT camera FROM cameras ORDER BY camera").fetchall():
                words = self._judge(db, camera, now)
                if words is not None:
                    told[f"camera {camera}"] = words
        before = self._told or set()
        for name in told.keys() - before:
            self._log.warning("needs attention", what=name, words=told[name])
        for name in before - told.keys():
            self._log.info("is well again", what=name)
        if told or self._told != set():
            self._ledger.set_conditions(told, TELLER)
        self._told = set(told)

    def _judge(self, db: sqlite3.Connection, camera: str, now: datetime) -> str | None:
        options = self._options
        span = db.execute(
            "SELECT MIN(arrived_at), MAX(arrived_at) FROM images"
            " WHERE camera=? AND arrived_at IS NOT NULL",
            (camera,),
        ).fetchone()
        if span[1] is None:
            return None
        first, last = map(datetime.fromisoformat, span)
        fixed = options.cameras_minutes.get(camera, options.limit_minutes)
        if fixed is not None and now - max(last, self._began) >= timedelta(minutes=fixed):
            return f"no picture since {_shown(last)}; it may be silent for {fixed:g} minutes"
        if not options.learned or camera in options.cameras_minutes:
            return None

        def pictures(after: datetime, to: datetime) -> int:
            (count,) = db.execute(
                "SELECT COUNT(*) FROM (SELECT 1 FROM images WHERE camera=? AND arrived_at > ?"
                " AND arrived_at <= ? LIMIT ?)",
                (camera, vocabulary.instant(after), vocabulary.instant(to), EXPECTED),
            ).fetchone()
            return count

        if is_unusual(last, self._began, now, first, pictures):
            return (
                f"no picture since {_shown(last)}, though in the last {WEEKS} weeks there always "
                f"were by now: look at the camera and its way to the inbox, or set "
                f"silence.cameras_minutes (it is taken for gone after {GONE.days} days)"
            )
        return None


def _shown(moment: datetime) -> str:
    return vocabulary.instant(moment)[:16].replace("T", " ") + " UTC"
