"""Retention: on a thread of its own, old things that everybody has are removed, and disks watched.

Nothing goes unless an option says so, and nothing that a sink still owes: a picture only when all
its rows are past every sink's position, a row only in the order of the log. Each removal is noted
in the ledger before it is made (`pruning.py`), so a kill at any point leaves at most a removal that
the next pass finishes, and `audit` balances throughout.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Self

import structlog

from flows import vocabulary
from flows.archive import REASON
from flows.care.disks import full_disks
from flows.care.tidying import tidy_sinks
from flows.clocks import Clocks
from flows.configuration.settings import Layout, Settings
from flows.files import durable
from flows.ledger.log import Ledger
from flows.ledger.places import floor_in
from stages.ports import Site

TELLER = "retention"
BATCH_PICTURES = 100
SECONDS_PER_MINUTE = 60.0


class Retention:
    """Passes over one root every so often, for as long as its block lasts."""

    def __init__(self, layout: Layout, ledger: Ledger, settings: Settings, clocks: Clocks) -> None:
        self._layout = layout
        self._ledger = ledger
        self._settings = settings
        self._options = settings.retention
        self._clocks = clocks
        self._stop = threading.Event()
        self._told: set[str] = set()
        self._log = structlog.get_logger("markwatch.retention")
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        # A pass looks at `_stop` between its batches.
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self.tidy()
            except (OSError, sqlite3.Error) as error:
                # A full or absent disk, the ledger's own perhaps: the next pass tries again.
                self._log.warning("cannot tidy up", error=str(error))
            if self._stop.wait(self._options.every_minutes * SECONDS_PER_MINUTE):
                return

    def tidy(self) -> None:
        """One pass: finish and make removals, close days, say which disks are nearly full.

        Raises:
            OSError: a folder cannot be looked at or changed.
        """
        options = self._options
        self._finish()
        self._forget()
        for top, days, megabytes in (
            (self._layout.archive, options.archive_days, options.archive_mb),
            (self._layout.failed, options.failed_days, options.failed_mb),
        ):
            if days is not None or megabytes is not None:
                self._remove_pictures(top, days, megabytes)
        site = Site(self._settings.station, str(self._layout.root))
        now = self._clocks.now()
        # Before rows leave the ledger: it still says which days every sink has had.
        told = tidy_sinks(self._ledger, self._settings, site, now, self._stop)
        if options.ledger_days is not None:
            self._remove_rows(options.ledger_days)
        self._warn(site, told)

    def _forget(self) -> None:
        """Forget the sinks that somebody wishes to be forgotten, but none that is configured."""
        for name in self._ledger.forgetting.wanted():
            if name not in self._settings.sinks:
                rows = self._ledger.forgetting.forget(name)
                self._log.info("sink forgotten", sink=name, given_up=rows)

    def _remove_pictures(self, top: Path, days: float | None, megabytes: int | None) -> None:
        count = 0
        # Chosen as a whole before the first goes: the choice reads one moment of the ledger.
        chosen = iter(list(self._chosen(top, days, megabytes)))
        while (batch := list(islice(chosen, BATCH_PICTURES))) and not self._stop.is_set():
            self._ledger.pruning.note_due(batch)
            count += self._finish()
        if count:
            self._log.info("old pictures removed", folder=self._layout.label(top), pictures=count)

    def _chosen(self, top: Path, days: float | None, megabytes: int | None) -> Iterator[str]:
        """The ids of delivered pictures under `top` that are too old or too many, oldest first."""
        prefix = f"{top.relative_to(self._layout.root).as_posix()}/".encode()
        below = "state='archived' AND discard IS NULL AND target >= ? AND target < ?"
        bounds = (prefix, prefix[:-1] + bytes([prefix[-1] + 1]))
        before = days and vocabulary.instant(self._clocks.now() - timedelta(days=days))
        limit = None if megabytes is None else megabytes << 20
        with self._ledger.snapshot() as db:
            floor = floor_in(db)
            (total,) = db.execute(
                f"SELECT COALESCE(SUM(size), 0) FROM images WHERE {below}", bounds
            ).fetchone()
            for key, size, arrived_at, newest in db.execute(
                "SELECT id, size, arrived_at, (SELECT MAX(seq) FROM rows WHERE image = images.id)"
                f" FROM images WHERE {below} ORDER BY id",
                bounds,
            ):
                is_old = before is not None and arrived_at < before
                if not is_old and (limit is None or total <= limit):
                    return
                if newest is None or newest <= floor:
                    total -= size
                    yield key

    def _finish(self) -> int:
        """Remove the files of all pictures whose removal is noted; how many went."""
        due = self._ledger.pruning.due()
        folders = set()
        for _, target in due:
            path = self._layout.root / target
            path.unlink(missing_ok=True)
            path.with_name(path.name + REASON).unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders:
            if folder.is_dir():
                durable.fsync_directory(folder)
        if due:
            self._ledger.pruning.note_done(key for key, _ in due)
        return len(due)

    def _remove_rows(self, days: float) -> None:
        before = vocabulary.instant(self._clocks.now() - timedelta(days=days))
        count = 0
        while not self._stop.is_set() and (gone := self._ledger.pruning.rows(before)):
            count += gone
        pictures = self._ledger.pruning.pictures()
        if count or pictures:
            self._log.info("old rows removed from the ledger", rows=count, pictures=pictures)

    def _warn(self, site: Site, told: dict[str, str]) -> None:
        outputs = [
            folder
            for choice in self._settings.sinks.values()
            for folder in choice.plugin.folders(choice.options, site)
        ]
        told |= full_disks(self._layout, outputs, self._pictures_bytes(), self._options)
        if self._options.ledger_days is not None:
            told |= self._waiting()
        for name in told.keys() - self._told:
            self._log.warning("needs attention", what=name, words=told[name])
        for name in self._told - told.keys():
            self._log.info("is well again", what=name)
        self._told = set(told)
        self._ledger.set_conditions(told, TELLER)

    def _pictures_bytes(self) -> int:
        if self._options.disk_budget_mb is None:
            return 0
        with self._ledger.snapshot() as db:
            return db.execute(
                "SELECT COALESCE(SUM(size), 0) FROM images WHERE state='archived'"
                " AND discard IS NULL"
            ).fetchone()[0]

    def _waiting(self) -> dict[str, str]:
        """Sinks that nobody delivers to any more, and that rows in the ledger wait for."""
        with self._ledger.snapshot() as db:
            (head,) = db.execute("SELECT head FROM log").fetchone()
            names = [name for (name,) in db.execute("SELECT name FROM sinks")]
        places = self._ledger.places
        return {
            f"retention for sink {name}": "rows stay in the ledger for it, but it is not "
            "configured any more: configure it again until it has them, or "
            f"`markwatch forget {name}`"
            for name in names
            if name not in self._settings.sinks and places.position(name).pending(head)
        }
