"""The `backup` command: the ledger copied while it is written, proved, and durable.

SQLite's own online backup copies one moment of it in a single pass. The copy is written beside its
name, checked, fsynced and only then renamed: a backup that is killed leaves a `.part` file that the
next one overwrites, and never a bad copy under a good name.
Source: https://www.sqlite.org/backup.html
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import typer

from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.files import durable
from flows.files.filenames import for_file
from flows.ledger.file import snapshot
from stages.errors import ConfigError, DeliveryError


def backup(root: Path, target: Path) -> int:
    """Copy the ledger of a root to a new file, or into a folder under a name of its own; 0.

    Raises:
        ConfigError: there is no ledger yet, or the file is there already.
        DeliveryError: the copy cannot be written, or is not sound.
    """
    site = settings.load(root)
    if target.is_dir():
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = target / f"ledger-{for_file(site.station)}-{moment}.sqlite"
    if os.path.lexists(target):
        raise ConfigError(f"{target} is there already; a backup overwrites nothing: name another")
    staged = target.with_name(f".{target.name}.part")
    try:
        staged.unlink(missing_ok=True)
        # Nobody else's to read, from its first byte on.
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with snapshot(Layout(root)) as source, closing(sqlite3.connect(staged)) as copy:
            source.backup(copy)
            head = _prove(copy, source)
        durable.fsync_file(staged)
        durable.move_new(staged, target)
        durable.fsync_directory(target.parent)
    except sqlite3.Error as error:
        staged.unlink(missing_ok=True)
        raise DeliveryError(f"{target}: {error}: check the disk, and try again") from error
    except OSError as error:
        raise DeliveryError(durable.remedy(error, target)) from error
    typer.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB, up to seq {head}, sound")
    return 0


def _prove(copy: sqlite3.Connection, source: sqlite3.Connection) -> int:
    """Check the copy from its first page to its last; returns the newest `seq` that it holds.

    Raises:
        sqlite3.DatabaseError: it is damaged, or is not what it was copied from.
    """
    # One file, without a write-ahead log beside it that could be left behind.
    copy.execute("PRAGMA journal_mode=DELETE")
    (words,) = copy.execute("PRAGMA integrity_check").fetchone()
    if words != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged ({words})")
    heads = [tuple(db.execute("SELECT head, pruned FROM log").fetchone()) for db in (copy, source)]
    if heads[0] != heads[1]:
        raise sqlite3.DatabaseError("the copy is not what it was copied from")
    return heads[0][0]
