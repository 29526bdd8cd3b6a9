"""What a crash may leave in `work/` beside claimed pictures: second names, and half copies.

A picture that was filed may have its old name back after a power cut, because the removal of a
name is not waited for. Such a name goes when the filed picture holds the same bytes. What the
ledger knows nothing of stays, and is told of: the ledger may be one put back from a backup.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import structlog

from flows.configuration.settings import Layout
from flows.files import durable
from flows.files.digest import digest_of
from flows.files.sidecar import SUFFIX
from flows.ledger.log import Ledger, Unfinished

ID_CHARACTERS = 36
"""A claimed picture's name begins with its id, a UUID."""


def clear_residue(layout: Layout, ledger: Ledger, unfinished: Iterable[Unfinished]) -> list[str]:
    """Remove from `work/` what is elsewhere too; returns the names that nobody knows.

    To be called after recovery and before anything is claimed.

    Raises:
        OSError: `work/` cannot be looked at or changed.
        sqlite3.Error: the ledger cannot be read.
    """
    log = structlog.get_logger("markwatch.residue")
    owned = {Path(item.claim.work).name for item in unfinished}
    unknown: list[str] = []
    removed = 0
    for path in sorted(layout.work.iterdir()):
        if path.name in owned or not path.is_file():
            continue
        if durable.is_part(path.name) or _is_known(layout, ledger, path):
            path.unlink()
            removed += 1
        else:
            unknown.append(path.name)
    if removed:
        log.info("second names and half copies removed", folder="data/work", files=removed)
    if unknown:
        log.warning("files that the ledger does not know", folder="data/work", files=unknown[:5])
    return unknown


def _is_known(layout: Layout, ledger: Ledger, path: Path) -> bool:
    """Whether this is one more name of a picture that lies where it was filed, or a sidecar.

    By now the ledger has the code that a sidecar names.
    """
    with ledger.snapshot() as db:
        found = db.execute(
            "SELECT target, state FROM images WHERE id=?", (path.name[:ID_CHARACTERS],)
        ).fetchone()
    if found is None:
        return False
    if path.name.endswith(SUFFIX):
        return True
    if found[1] != "archived" or found[0] is None:
        return False
    target = layout.root / os.fsdecode(found[0])
    return target.is_file() and (path.samefile(target) or digest_of(path) == digest_of(target))
