"""The `forget` command: a sink that is configured no more lets go of the rows that wait for it.

Beside a running `watch` it is a wish (`ledger/wishes.py`) that retention's next pass fulfils;
otherwise it is done here. A sink that was meanwhile configured again withdraws it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from flows import vocabulary
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.ledger.file import is_watched, snapshot
from flows.ledger.log import Ledger
from flows.ledger.places import sums_in
from flows.ledger.wishes import wish_forgotten
from stages.errors import ConfigError


def forget(root: Path, sink: str, *, sure: bool) -> int:
    """Forget a sink, once it is said to be meant; 0.

    Raises:
        ConfigError: it is configured, unknown, or `sure` is not given: then the words say what is
            undelivered.
    """
    site = settings.load(root)
    layout = Layout(root)
    if sink in site.sinks:
        raise ConfigError(
            f"sink {sink} is configured: set `sinks: {{{sink}: null}}` and restart watch first"
        )
    with snapshot(layout) as db:
        known = [name for (name,) in db.execute("SELECT name FROM sinks ORDER BY name")]
        stale = [name for name in known if name not in site.sinks]
        if sink not in known:
            raise ConfigError(
                f"the ledger knows no sink {sink}; configured no more: {', '.join(stale) or 'none'}"
            )
        cameras = sums_in(db, sink)
    sums = {
        key: sum(camera[key] for camera in cameras.values())
        for key in ("committed", "delivered", "dead", "pending")
    }
    account = (
        f"{sink}: {sums['committed']} rows committed = {sums['delivered']} delivered"
        f" + {sums['dead']} dead + {sums['pending']} undelivered"
    )
    if not sure:
        raise ConfigError(
            f"{account}; say --yes to give up what is undelivered there (the ledger and the other "
            "sinks keep it), or configure the sink again until it has it"
        )
    if is_watched(layout):
        wish_forgotten(layout.ledger, sink, vocabulary.instant(datetime.now(UTC)))
        minutes = site.retention.every_minutes
        typer.echo(
            f"{account}; the running watch forgets it within {minutes:g} minutes, or after its "
            "next start if it began with that sink"
        )
        return 0
    with Ledger(layout.ledger, lambda: datetime.now(UTC), root=layout.root) as ledger:
        rows = ledger.forgetting.forget(sink)
    typer.echo(f"{account}; forgotten, {rows} given up; `markwatch audit` counts it on")
    return 0
