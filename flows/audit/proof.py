"""The `audit` command: proves that no picture and no row is lost, or names what differs.

Three accounts are held against each other: the ledger within itself (`ledger.py`), the
pictures in the folders (`pictures.py`), and what each sink's files hold (`sinks.py`).
It only reads, so it may be stopped at any point, and run beside `watch`: everything that was
committed when it began is proved; what is committed after that is left to the next audit. What a
broker did with a message that it acknowledged, no audit on this side can see.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.audit.figures import figures
from flows.audit.ledger import RESTORE, Difference, check_ledger
from flows.audit.pictures import check_pictures
from flows.audit.sinks import SinkAudit
from flows.commands.status import PIPE_WIDTH
from flows.configuration import settings
from flows.configuration.settings import Layout, Settings
from flows.ledger.file import is_watched, snapshot
from stages.errors import ConfigError
from stages.ports import Readable, Site


def audit(root: Path, *, hashed: bool, as_json: bool) -> int:
    """Print the account of a root and every difference; 0, or 1 when there is one.

    Raises:
        MarkwatchError: the root has no configuration, or nothing was watched in it yet.
    """
    site = settings.load(root)
    layout = Layout(root)
    watched = is_watched(layout)
    try:
        with snapshot(layout) as first:
            account = figures(first, datetime.now(UTC))
            (head,) = first.execute("SELECT head FROM log").fetchone()
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{layout.ledger} is damaged ({error}): {RESTORE}") from error
    found = differences(layout, site, hashed=hashed)
    if as_json:
        content = {
            "station": site.station,
            "watched": watched,
            "head": head,
            **account,
            "differences": [asdict(each) for each in found],
        }
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        return 1 if found else 0
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    _print_account(console, site, account)
    if watched:
        console.print(
            f"watch is running: proved up to seq {head}; later rows are left to the next audit",
            highlight=False,
        )
    unread = [name for name in site.sinks if not _is_readable(site, name)]
    if unread:
        console.print(
            f"not read back (by receipts alone): {', '.join(unread)}", highlight=False, markup=False
        )
    for each in found:
        console.print(f"DIFFERS  {each}", highlight=False, markup=False, soft_wrap=True)
    count = len(found)
    words = "no difference" if not count else f"{count} difference{'s' if count > 1 else ''}"
    console.print(f"audit: {words}", style="red" if count else "green", highlight=False)
    return 1 if found else 0


def differences(layout: Layout, site: Settings, *, hashed: bool = False) -> list[Difference]:
    """Everything that does not balance in a root, each with its remedy; empty when all does.

    Raises:
        ConfigError: there is no ledger yet, or another markwatch wrote its schema.
    """
    try:
        return _differences(layout, site, hashed=hashed)
    except sqlite3.DatabaseError as error:
        # Damage that SQLite itself stumbles over: nothing beyond it can be proved.
        return [Difference("ledger", f"the file is damaged ({error})", RESTORE)]


def _differences(layout: Layout, site: Settings, *, hashed: bool) -> list[Difference]:
    place = Site(site.station, str(layout.root))
    with snapshot(layout) as first:
        found = list(check_ledger(first))
        known = {name for (name,) in first.execute("SELECT name FROM sinks")}
        for name, choice in site.sinks.items():
            if name in known and _is_readable(site, name):
                sink = choice.plugin(choice.options, place, name)
                found += SinkAudit(first, name, sink, site.station).check(lambda: snapshot(layout))
        found += check_pictures(first, lambda: snapshot(layout), layout, hashed=hashed)
    return found


def _is_readable(site: Settings, name: str) -> bool:
    return issubclass(site.sinks[name].plugin, Readable)


def _print_account(console: Console, site: Settings, account: dict[str, Any]) -> None:
    images = account["images"]
    equal = "=" if images["seen"] == images["reported"] + images["in_work"] else "IS NOT"
    console.print(
        f"{site.station}: {images['seen']} pictures seen {equal} {images['reported']} reported"
        f" + {images['in_work']} in work",
        highlight=False,
    )
    table = Table("sink", "camera", "committed", "delivered", "dead", "pending", box=None)
    for name, sink in account["sinks"].items():
        for camera, sums in sink["cameras"].items():
            table.add_row(name, camera, *(str(number) for number in sums.values()))
    console.print(table, highlight=False, markup=False)
    for gone in account["forgotten"]:
        console.print(
            f"{gone['sink']}, forgotten {gone['at'][:10]}: {gone['committed']} committed ="
            f" {gone['delivered']} delivered + {gone['dead']} dead + {gone['given_up']} given up",
            highlight=False,
            markup=False,
        )
