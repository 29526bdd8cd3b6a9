"""The `backup` command: the ledger copied while it is written, proved, and durable.

SQLite's own online backup copies one moment of a file in a single pass. A copy is written beside
its name, checked, fsynced and only then renamed: a backup that is killed leaves a `.part` file that
the next one overwrites, and never a bad copy under a good name. What `claim: copy` remembers is
copied before the ledger and gets its name before it, and without the copies that were on their way
to the intake: put back, a picture may at worst be read twice, and none is passed over.
Source: https://www.sqlite.org/backup.html
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path

import typer

from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.files import durable
from flows.files.filenames import for_file
from flows.ledger.file import snapshot
from flows.sources import copied
from stages.errors import ConfigError, DeliveryError


def backup(root: Path, target: Path) -> int:
    """Copy the ledger of a root to a new file, or into a folder under a name of its own; 0.

    What was copied from shares goes into a second file beside it, where there is such.

    Raises:
        ConfigError: there is no ledger yet, or the file is there already.
        DeliveryError: the copy cannot be written, or is not sound.
    """
    site = settings.load(root)
    layout = Layout(root)
    if target.is_dir():
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = target / f"ledger-{for_file(site.station)}-{moment}.sqlite"
    if os.path.lexists(target):
        raise ConfigError(f"{target} is there already; a backup overwrites nothing: name another")
    beside = target.with_name(f"{target.stem}.copied{target.suffix}")
    memory = layout.state / copied.FILE
    try:
        source = snapshot(layout)
        # Without its ledger it is of a backup that was killed.
        beside.unlink(missing_ok=True)
        there = memory.is_file()
        if there:
            _copy(closing(_opened(memory)), _staged(beside), _set_down)
        head = _copy(source, _staged(target), _prove)
        if there:
            durable.move_new(_staged(beside), beside)
        durable.move_new(_staged(target), target)
        durable.fsync_directory(target.parent)
    except sqlite3.Error as error:
        _clear(_staged(target))
        _clear(_staged(beside))
        raise DeliveryError(f"{target}: {error}: check the disk, and try again") from error
    except OSError as error:
        raise DeliveryError(durable.remedy(error, target)) from error
    typer.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB, up to seq {head}, sound")
    if there:
        typer.echo(f"{beside}: which pictures were copied from shares")
    return 0


def _copy(
    source: AbstractContextManager[sqlite3.Connection],
    staged: Path,
    finish: Callable[[sqlite3.Connection, sqlite3.Connection], int],
) -> int:
    """Copy one file aside, durably, and check it from its first page to its last.

    Returns what `finish` makes of source and copy.

    Raises:
        sqlite3.DatabaseError: it is damaged, or is not what it was copied from.
    """
    _clear(staged)
    # Nobody else's to read, from its first byte on.
    os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with source as db, closing(sqlite3.connect(staged)) as copy:
        db.backup(copy)
        # One file, without a write-ahead log beside it that could be left behind.
        copy.execute("PRAGMA journal_mode=DELETE")
        (words,) = copy.execute("PRAGMA integrity_check").fetchone()
        if words != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged ({words})")
        found = finish(db, copy)
    durable.fsync_file(staged)
    return found


def _prove(source: sqlite3.Connection, copy: sqlite3.Connection) -> int:
    """The newest `seq` of a ledger's copy, which must be that of the ledger."""
    heads = [tuple(db.execute("SELECT head, pruned FROM log").fetchone()) for db in (copy, source)]
    if heads[0] != heads[1]:
        raise sqlite3.DatabaseError("the copy is not what it was copied from")
    return heads[0][0]


def _set_down(_: sqlite3.Connection, copy: sqlite3.Connection) -> int:
    return copied.set_down(copy)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=copied.BUSY_SECONDS)


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}{durable.PART}")


def _clear(staged: Path) -> None:
    for path in (staged, staged.with_name(f"{staged.name}-journal")):
        path.unlink(missing_ok=True)
