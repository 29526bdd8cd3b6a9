"""The `status` command: what the ledger knows, read beside a running flow without disturbing it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.audit.figures import figures
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.files.filenames import shown
from flows.ledger.file import snapshot

PIPE_WIDTH = 200


def show(root: Path, *, as_json: bool) -> None:
    """Print the status of a root.

    Raises:
        MarkwatchError: the root has no configuration, or nothing was watched in it yet.
    """
    site = settings.load(root)
    found = shown(status(Layout(root), datetime.now(UTC)))
    for name in found["sinks"].keys() - site.sinks.keys():
        waiting = found["sinks"][name]["pending"]
        found["conditions"][f"sink {name}"] = (
            f"is not configured any more; {waiting} rows wait: configure it again, or "
            f"`markwatch forget {name}`"
        )
    if as_json:
        sys.stdout.write(json.dumps({"station": site.station, **found}, ensure_ascii=False) + "\n")
        return
    # A pipe has no width of its own, and must not cut what it carries.
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    images = found["images"]
    balance = "=" if images["seen"] == images["reported"] + images["in_work"] else "IS NOT"
    console.print(
        f"{site.station}: {images['seen']} pictures seen {balance} {images['reported']} reported"
        f" + {images['in_work']} in work; {images['failed']} of them failed",
        highlight=False,
    )
    cameras = Table(
        "camera", "seen", "reported", "failed", "last picture", "status", "at", box=None
    )
    for name, camera in found["cameras"].items():
        counts = (str(camera[key]) for key in ("seen", "reported", "failed"))
        last = (str(camera["last_image"] or ""), str(camera["last_status"] or ""))
        cameras.add_row(name, *counts, *last, str(camera["last_at"] or "")[:19].replace("T", " "))
    console.print(cameras, highlight=False, markup=False)
    sinks = Table(
        "sink", "committed", "delivered", "dead", "pending", "oldest", "last error", box=None
    )
    for name, sink in found["sinks"].items():
        age = sink["backlog_seconds"]
        sinks.add_row(
            name,
            *(str(sink[key]) for key in ("committed", "delivered", "dead", "pending")),
            "" if age is None else f"{age:.0f} s",
            sink["error"] or "",
        )
    console.print(sinks, highlight=False, markup=False)
    if found["canaries"]:
        console.print(_canaries(found["canaries"]), highlight=False, markup=False)
    wrong = [name for name, sink in found["sinks"].items() if not sink["balanced"]]
    if wrong:
        console.print(
            f"attention: the sums of {', '.join(wrong)} do not agree: run `markwatch audit`",
            style="red",
            highlight=False,
        )
    for name, words in found["conditions"].items():
        console.print(f"attention: {name}: {words}", style="yellow", highlight=False, markup=False)


def _canaries(found: dict[str, Any]) -> Table:
    """How long the last canary of each source took, by which way, and how late that was."""
    table = Table(
        "canary", "found after", "typically", "by event", "by scan", "late", "at", box=None
    )
    keys = ("seconds", "typical_seconds", "events_seconds", "scan_seconds", "late_seconds")
    for name, canary in found.items():
        taken = ("-" if canary[key] is None else f"{canary[key]:.2f} s" for key in keys)
        table.add_row(name, *taken, canary["written_at"][:19].replace("T", " "))
    return table


def status(layout: Layout, now: datetime) -> dict[str, Any]:
    """The figures as they go into `--json`: images, cameras, and each sink's place in the log.

    Raises:
        ConfigError: there is no ledger yet, or another markwatch wrote its schema.
    """
    with snapshot(layout) as db:
        return figures(db, now)
