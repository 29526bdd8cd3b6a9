"""The `replay` command: rows that were delivered once are delivered to one sink again.

The rows come from the ledger as they are, with the same `id` and `seq`, and no position moves: so
it works beside a running `watch`, and a replay that is killed is simply made again. Only what the
sink has been given already is replayed; what is pending, `watch` delivers. A sink whose batches are
units of their own (a Parquet part) gets whole units again, under their ranges.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer

from flows import telemetry, vocabulary
from flows.commands.moments import moment, span
from flows.configuration import settings
from flows.configuration.settings import Layout, LogOptions
from flows.ledger import subscriptions
from flows.ledger.file import is_watched, snapshot
from flows.ledger.places import position_in
from flows.ledger.positions import Intervals, Span
from stages.errors import ConfigError
from stages.ports import Batch, Replays, Site

BATCH_ROWS = 500
PIECE_ROWS = 5000


def replay(
    root: Path,
    name: str,
    *,
    start: str | None = None,
    end: str | None = None,
    seqs: str | None = None,
    file: Path | None = None,
) -> int:
    """Deliver rows to a sink again and print what was done; 0.

    Raises:
        MarkwatchError: there is no such sink, it cannot replay, nothing is to be replayed, or the
            far side is away.
    """
    site = settings.load(root)
    telemetry.configure(LogOptions(level="error"))
    layout = Layout(root)
    sink = _sink(site, layout, name)
    if file is not None and not sink.replays_into_file:
        raise ConfigError(f"sink {name} replays to where it delivers; leave out -o")
    with snapshot(layout) as db:
        wanted = _wanted(db, start, end, seqs)
        batches = _batches(db, name, wanted, units=sink.cut.units)  # type: ignore[attr-defined]
        first = next(batches, None)
        if first is None:
            raise ConfigError(_nothing(db, name, wanted))

        def every() -> Iterator[Batch]:
            yield first
            yield from batches

        for line in sink.replay(every(), file):
            typer.echo(f"replayed {line}")
    return 0


def _sink(site: settings.Settings, layout: Layout, name: str) -> Replays:
    choice = site.sinks.get(name)
    if choice is None:
        raise ConfigError(f"no sink is called {name!r}: {', '.join(site.sinks) or 'none'}")
    if getattr(choice.options, "host", "") is None and not is_watched(layout):
        raise ConfigError(
            f"sink {name} has no host: its broker runs inside `markwatch watch`; start that first"
        )
    place = Site(site.station, str(layout.root))
    sink = choice.plugin(choice.options, place, name)
    if not isinstance(sink, Replays):
        raise ConfigError(f"sink {name} ({choice.use}) cannot replay: its plug-in has no `replay`")
    return sink


def _wanted(db: sqlite3.Connection, start: str | None, end: str | None, seqs: str | None) -> Span:
    """The range of the log that is asked for: by `seq`, by `read_at`, or both."""
    if start is None and end is None and seqs is None:
        raise ConfigError("say what to replay: --from and --to, or --seq A-B")
    now = datetime.now(UTC)
    (head,) = db.execute("SELECT head FROM log").fetchone()
    after, to = span(seqs) if seqs is not None else (0, head)
    condition, values = ["seq > ?", "seq <= ?"], [after, to]
    for text, sign in ((start, ">="), (end, "<")):
        if text is not None:
            condition.append(f"read_at {sign} ?")
            values.append(vocabulary.instant(moment(text, now)))
    first, last = db.execute(
        f"SELECT MIN(seq), MAX(seq) FROM rows WHERE {' AND '.join(condition)}", values
    ).fetchone()
    if first is None:
        (pruned,) = db.execute("SELECT pruned FROM log").fetchone()
        gone = f"; those up to seq {pruned} are past ledger_days" if pruned else ""
        raise ConfigError(f"the ledger has no such rows{gone}: it ends at seq {head}")
    return first - 1, last


def _batches(db: sqlite3.Connection, name: str, wanted: Span, *, units: bool) -> Iterator[Batch]:
    """What the sink was given of a range, in order, in its own units where it has such."""
    for after, to in _spans(db, name, wanted, units=units):
        rows = _rows(db, name, after, to)
        if units and (after, to) in _units(db, name, (after, to)):
            if rows:
                yield Batch(rows, after, to, late=True)
        else:
            yield from _cut(rows, after, to, daily=units)


def _spans(db: sqlite3.Connection, name: str, wanted: Span, *, units: bool) -> list[Span]:
    known = db.execute("SELECT 1 FROM sinks WHERE name=?", (name,)).fetchone()
    if known is None:
        raise ConfigError(f"sink {name} has had nothing yet; `markwatch watch` delivers to it")
    position = position_in(db, name)
    asked = Intervals((wanted,))
    given = asked.minus(asked.minus(position.done))
    before = Intervals(((0, position.start),)) if position.start else Intervals()
    given = given.minus(before)
    whole = _units(db, name, wanted) if units else []
    loose = given.minus(Intervals(tuple(whole)))
    pieces = [
        (begin, min(begin + PIECE_ROWS, to))
        for after, to in loose.spans
        for begin in range(after, to, PIECE_ROWS)
    ]
    return sorted([*whole, *pieces])


def _units(db: sqlite3.Connection, name: str, wanted: Span) -> list[Span]:
    """The units that overlap a range; each counts whole."""
    found = db.execute(
        "SELECT after, upto FROM units WHERE sink=? AND after < ? AND upto > ? ORDER BY after",
        (name, wanted[1], wanted[0]),
    )
    return [(after, to) for after, to in found]


def _rows(db: sqlite3.Connection, name: str, after: int, to: int) -> list[vocabulary.Row]:
    told = subscriptions.of(db, name)
    return [
        vocabulary.from_json(record["record"])
        for record in db.execute(
            "SELECT seq, camera, status, record FROM rows WHERE seq > ? AND seq <= ? ORDER BY seq",
            (after, to),
        )
        if subscriptions.at(told, record["seq"]).takes(record["camera"], record["status"])
    ]


def _cut(rows: list[vocabulary.Row], after: int, to: int, *, daily: bool) -> Iterator[Batch]:
    while rows:
        day = rows[0]["read_at"].date()
        count = next(
            (n for n, row in enumerate(rows) if daily and row["read_at"].date() != day), len(rows)
        )
        part, rows = rows[: min(count, BATCH_ROWS)], rows[min(count, BATCH_ROWS) :]
        end = part[-1]["seq"] if rows else to
        yield Batch(part, after, end, late=True)
        after = end


def _nothing(db: sqlite3.Connection, name: str, wanted: Span) -> str:
    position = position_in(db, name)
    asked = Intervals((wanted,))
    pending = asked.minus(position.done).count()
    where = f"seq {wanted[0] + 1}-{wanted[1]}"
    if pending:
        return f"{pending} rows of {where} are pending at {name}: `markwatch watch` delivers them"
    return f"sink {name} has had no row of {where}: it does not subscribe to them"
