"""Sinks that keep their far side in order: each is told which days are over and delivered to it."""

from __future__ import annotations

import sqlite3
import threading
from datetime import date, datetime

import structlog

from flows.configuration.settings import Settings
from flows.ledger.log import Ledger
from flows.ledger.places import position_in
from stages.errors import DeliveryError
from stages.ports import Site, Tidies


def tidy_sinks(
    ledger: Ledger, settings: Settings, site: Site, now: datetime, stop: threading.Event
) -> dict[str, str]:
    """Let every sink that can (`stages.ports.Tidies`) do so; what keeps one from it, by its name.

    Raises:
        sqlite3.Error: the ledger cannot be read.
    """
    log = structlog.get_logger("markwatch.retention")
    troubles: dict[str, str] = {}
    for name, choice in settings.sinks.items():
        if not issubclass(choice.plugin, Tidies):
            continue
        sink = choice.plugin(choice.options, site, name)
        with ledger.snapshot() as db:
            closed = closed_before(db, name, now.date())
        found = []
        try:
            for each in sink.tidy(closed, now, stop):
                if each.trouble:
                    found.append(each.words)
                else:
                    log.info("put in order", sink=name, what=each.words)
        except DeliveryError as error:
            found.append(str(error))
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            troubles[f"order of sink {name}"] = found[0] + more
    return troubles


def closed_before(db: sqlite3.Connection, sink: str, today: date) -> date:
    """The day (UTC) before which all is over, and the sink has had every row there is so far.

    A clock that is set back may still bring rows to such a day: whoever closed it must take more.
    """
    if db.execute("SELECT 1 FROM sinks WHERE name=?", (sink,)).fetchone() is None:
        return date.min
    (head,) = db.execute("SELECT head FROM log").fetchone()
    gap = position_in(db, sink).next_in_order(head)
    if gap is None:
        return today
    (read_at,) = db.execute("SELECT read_at FROM rows WHERE seq=?", (gap[0] + 1,)).fetchone()
    return min(today, date.fromisoformat(read_at[:10]))
