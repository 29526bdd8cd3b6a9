"""The pictures held against the folders: each lies where the ledger says, and nothing else does.

A picture that was seen lies in `work/` until it is reported, then under its target in `archive/` or
`failed/`, unless retention has removed it and noted so. What has moved since the ledger was read
is looked up again before it is told.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from flows.archive import REASON
from flows.audit.ledger import Difference
from flows.configuration.settings import Layout
from flows.files.digest import digest_of
from flows.files.sidecar import SUFFIX
from flows.ledger.file import Snapshot

_SEEN = "SELECT * FROM images WHERE state != 'intended'"
_FIND = "look for it (a person, a clean-up job, the disk), and put it back"


def check_pictures(
    first: sqlite3.Connection, again: Callable[[], Snapshot], layout: Layout, *, hashed: bool
) -> Iterator[Difference]:
    """Hold the folders to the ledger as `first` has it; `again` gives the ledger of now.

    What looks wrong counts only if a ledger that is read after the look says the same: a picture
    may have been reported and filed since. With `hashed`, the bytes of every picture are compared
    as well.
    """
    wrong = {
        record["id"]: record
        for record in first.execute(f"{_SEEN} ORDER BY id")
        if _wrong(record, layout, hashed=hashed) is not None
    }
    strangers = [
        path
        for top in (layout.work, layout.archive, layout.failed)
        for path in _files(top)
        if not _known(first, path, layout)
    ]
    while wrong:
        moved: dict[str, sqlite3.Row] = {}
        with again() as later:
            for name, record in wrong.items():
                now = later.execute(f"{_SEEN} AND id=?", (name,)).fetchone()
                words = None if now is None else _wrong(now, layout, hashed=hashed)
                if words is None:
                    continue
                if tuple(now) != tuple(record):
                    moved[name] = now
                    continue
                where = f"picture {record['name']} of camera {record['camera']} ({record['id']})"
                yield Difference(where, words, _FIND)
        wrong = moved
    with again() as later:
        for path in strangers:
            if not _known(later, path, layout) and os.path.lexists(path):
                yield Difference(
                    f"file {layout.label(path)}",
                    "the ledger does not know it",
                    "if it is a part's picture, drop it into its inbox again; else remove it",
                )


def _wrong(record: sqlite3.Row, layout: Layout, *, hashed: bool) -> str | None:
    """What is wrong with where a picture lies; None when nothing is."""
    work = layout.root / os.fsdecode(record["work"])
    target = record["target"] and layout.root / os.fsdecode(record["target"])
    if record["discard"] == "done":
        return "was removed by retention, but is there again" if target.exists() else None
    if record["discard"] == "due":
        return None
    places = {"claimed": [work], "reported": [work, target], "archived": [target]}
    found = [path for path in places[record["state"]] if path.is_file()]
    if not found:
        return f"is not at {layout.label(places[record['state']][-1])}"
    if record["state"] == "claimed" or record["sha256"] is None:
        return None
    path = found[0]
    if path.stat().st_size != record["size"]:
        return f"{layout.label(path)} has {path.stat().st_size} bytes, not {record['size']}"
    if hashed and digest_of(path) != record["sha256"]:
        return f"{layout.label(path)} has other bytes than those that were read"
    return None


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        folders.sort()
        # What begins with a dot is a copy under way (`durable.py`), or a file manager's own.
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _known(db: sqlite3.Connection, path: Path, layout: Layout) -> bool:
    relative = os.fsencode(path.relative_to(layout.root).as_posix())
    if path.is_relative_to(layout.work):
        relative = relative.removesuffix(SUFFIX.encode())
        found = db.execute(
            "SELECT 1 FROM images WHERE work=? AND state != 'archived'", (relative,)
        ).fetchone()
        return found is not None
    names = [relative]
    if path.name.endswith(REASON):
        names.append(relative.removesuffix(REASON.encode()))
    moved = "SELECT 1 FROM images WHERE state != 'archived' AND work=?"
    return any(
        db.execute("SELECT 1 FROM images WHERE target=?", (name,)).fetchone()
        or db.execute(moved, (name,)).fetchone()
        for name in names
    )
