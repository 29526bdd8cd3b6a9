"""The `reread` command: filed pictures are read again under today's recipes.

It only puts a wish into the ledger for each; a running `watch` takes them beside the new pictures
(`rereads.py`), and where none runs the same walk is run here without sources, until the wishes are
fulfilled and delivered. Each gives a new revision with new `seq`s, whose rows supersede the earlier
ones. Killed at any point, the wishes stay: the next `watch` or `reread` goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from flows import vocabulary
from flows.commands.moments import moment
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.ledger.file import is_watched, snapshot
from flows.ledger.wishes import wish
from stages.errors import ConfigError

_ID_CHARACTERS = 36


def reread(
    root: Path,
    ids: Sequence[str],
    *,
    camera: str | None = None,
    start: str | None = None,
    end: str | None = None,
    status: str | None = None,
) -> int:
    """Wish for filed pictures to be read again; the exit status of the walk, 0 beside a watch.

    Raises:
        MarkwatchError: nothing is chosen, an id is unknown, or the walk cannot start.
    """
    settings.load(root)
    layout = Layout(root)
    if not (ids or camera or start or end or status):
        raise ConfigError(
            "say which pictures: ids, or --camera, --status, --from, --to (they narrow each other)"
        )
    now = datetime.now(UTC)
    with snapshot(layout) as db:
        chosen = _chosen(db, camera, start and moment(start, now), end and moment(end, now), status)
        if ids:
            asked = [key[:_ID_CHARACTERS] for key in ids]
            _refuse_unknown(db, asked)
            chosen = [key for key in asked if key in set(chosen)]
    if not chosen:
        raise ConfigError("no picture that is kept is like that; see `markwatch status`")
    wish(layout.ledger, chosen, vocabulary.instant(now))
    if is_watched(layout):
        typer.echo(f"{len(chosen)} pictures: the running watch reads them again")
        return 0
    typer.echo(f"{len(chosen)} pictures: reading them again", err=True)
    from flows.commands import running

    return running.watch(root, once=True, sources=False)


def _chosen(
    db: sqlite3.Connection,
    camera: str | None,
    start: datetime | None,
    end: datetime | None,
    status: str | None,
) -> list[str]:
    """The filed pictures that satisfy all of these; `status` is that of their newest revision."""
    where, values = ["state='archived'", "discard IS NULL"], []
    if camera is not None:
        where.append("camera = ?")
        values.append(camera)
    for at, sign in ((start, ">="), (end, "<")):
        if at is not None:
            where.append(f"arrived_at {sign} ?")
            values.append(vocabulary.instant(at))
    if status is not None:
        where.append(
            "EXISTS (SELECT 1 FROM rows WHERE rows.image = images.id AND rows.status = ?"
            " AND rows.id LIKE images.id || '-' || images.revision || '-%')"
        )
        values.append(status)
    query = f"SELECT id FROM images WHERE {' AND '.join(where)} ORDER BY id"
    return [key for (key,) in db.execute(query, values)]


def _refuse_unknown(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    for key in ids:
        found = db.execute("SELECT state, discard FROM images WHERE id=?", (key,)).fetchone()
        if found is None:
            raise ConfigError(f"the ledger knows no picture {key}; an id begins every row's `id`")
        if found["discard"] is not None:
            raise ConfigError(f"picture {key} was removed by retention; it cannot be read again")
        if found["state"] != "archived":
            raise ConfigError(f"picture {key} is in work; wait until it is filed")
