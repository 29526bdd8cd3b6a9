"""The `watch` command: settings, logging, signals, and one `Watch` until it ends."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from flows import telemetry
from flows.clocks import Clocks
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.ledger.file import damaged
from flows.watch import Watch
from stages.errors import DeliveryError


def clocks() -> Clocks:
    """The real clocks."""
    return Clocks(now=lambda: datetime.now(UTC), tick=time.monotonic)


def watch(root: Path, *, once: bool, sources: bool = True) -> int:
    """Run the flow until SIGTERM or SIGINT (or with `once` until all is done); the exit status.

    Without `sources` only what is claimed or wished for is read.

    A second signal ends it at once; the ledger repairs what that leaves behind.

    Raises:
        MarkwatchError: it cannot start.
    """
    site = settings.load(root)
    telemetry.configure(site.log)
    if not sources:
        site = site.model_copy(update={"sources": {}})
    layout = Layout(root)
    flow = Watch(layout, site, clocks())

    def on_signal(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        flow.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, on_signal)
    try:
        complete = flow.run(once=once)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise damaged(layout.ledger, error) from error
        raise
    status = 0 if complete or not once else DeliveryError.exit_code
    if flow.stuck and site.cluster.scheduler == "threads":
        # The interpreter would wait for the hung thread for ever; the ledger has all that matters.
        sys.stderr.flush()
        os._exit(status)
    return status
