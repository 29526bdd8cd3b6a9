"""From the ledger to the sinks: one thread each, lanes, receipts, backoff.

A sink is offered ranges of the log until it has them all, for ever: a failure is told in `status`
and tried again after a pause that doubles, with jitter. A sink with lanes gets what was committed
after an outage first (live), and what waited meanwhile as backlog (`late`), each in order; a sink
without gets one strictly ordered log, cut into batches as its `Cut` says.
"""

from __future__ import annotations

import itertools
import math
import random
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, cast

import structlog

from flows.audit.figures import brief, figures
from flows.clocks import Clocks
from flows.configuration.choices import SinkChoice
from flows.configuration.settings import DeliveryOptions
from flows.ledger.log import Ledger, ledger_remedy
from flows.ledger.positions import Intervals, Position, Span, intervals
from stages.errors import DeliveryError
from stages.ports import Batch, Cut, Linked, Receipt, Remembers, Sink, Site, Tells

IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a sink is about to be offered: its batch, and whether the range was planned before."""

    batch: Batch
    resumed: bool = False


class Delivery:
    """One sink's thread: follows the log and never drops a row."""

    def __init__(
        self,
        name: str,
        choice: SinkChoice,
        site: Site,
        ledger: Ledger,
        options: DeliveryOptions,
        clocks: Clocks,
    ) -> None:
        self.name = name
        self._choice = choice
        self._site = site
        self._ledger = ledger
        self._options = options
        self._clocks = clocks
        self._state: Literal["online", "draining"] = "online"
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._flush = threading.Event()
        self._progress = threading.Condition()
        self._failing = False
        self._sink: Sink | None = None
        self._waiting_since: float | None = None
        self._waiting_day: date | None = None
        self._boundary = 0
        self._refused = Intervals()
        self._refused_until = 0.0
        self._tell_at = -math.inf
        self._log = structlog.get_logger("markwatch.deliver").bind(sink=name)
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)

    def open(self) -> None:
        """Make this sink's place in the ledger; every sink's, before any of them starts."""
        choice = self._choice
        self._ledger.places.open(self.name, choice.start, choice.cameras, choice.statuses)

    def start(self) -> None:
        """Begin to follow the log."""
        self._thread.start()

    def wake(self) -> None:
        """Say that rows were committed."""
        self._wake.set()

    def announce_draining(self) -> None:
        """Let the sink tell the far side that the station finishes what it has in work."""
        self._state = "draining"
        self._wake.set()

    def drain(self) -> None:
        """Say that no more rows will come: close partial batches and deliver what is left.

        A sink that is pausing after a failure tries once more at once.
        """
        self._failing = False
        self._flush.set()
        self._wake.set()

    def settled(self, timeout: float) -> bool:
        """Wait until nothing is pending or the sink fails; returns whether nothing is pending."""
        with self._progress:
            self._progress.wait_for(lambda: self._stuck() or self.pending() == 0, timeout)
        return self.pending() == 0

    def _stuck(self) -> bool:
        return self._failing or bool(self._refused.spans)

    @property
    def trouble(self) -> str | None:
        """Why this sink has no connection, also while there is nothing to deliver."""
        sink = self._sink
        return sink.trouble if isinstance(sink, Linked) else None

    def pending(self) -> int:
        """How many rows this sink still owes, by the ledger."""
        return self._ledger.places.position(self.name).pending(self._ledger.head())

    def stop(self, timeout: float) -> None:
        """End the thread; what is not delivered stays in the ledger."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        """Open the sink and follow the log, reopening it after an error that is not a known one."""
        pause = Backoff(self._options)
        while not self._stop.is_set():
            try:
                with self._choice.plugin(self._choice.options, self._site, self.name) as sink:
                    self._sink = sink
                    self._follow(sink, pause)
            except DeliveryError as error:
                self._failed(str(error))
            except sqlite3.OperationalError as error:
                self._failed(ledger_remedy(error))
            except Exception as error:
                # A sink may be a stranger's: whatever it raises, its rows are offered again.
                self._log.exception("sink broke")
                self._failed(f"{type(error).__name__}: {' '.join(str(error).split())}")
            self._rest(pause)

    def _rest(self, pause: Backoff) -> None:
        (self._stop if self._flush.is_set() else self._flush).wait(pause.next())

    def _follow(self, sink: Sink, pause: Backoff) -> None:
        places = self._ledger.places
        position = places.position(self.name)
        if isinstance(sink, Remembers):
            sink.remember(position.cursor)
        self._boundary = self._ledger.head()
        announced: str | None = None
        while not self._stop.is_set():
            self._wake.clear()
            if announced != self._state:
                sink.announce(self._state)
                announced = self._state
            self._tell(sink)
            offer, wait = self._next(position, sink.cut)
            if offer is None:
                self._wake.wait(wait)
                continue
            if sink.cut.planned and not offer.resumed:
                places.plan(self.name, offer.batch.after, offer.batch.to)
            try:
                receipt = sink.deliver(offer.batch) if offer.batch.rows else Receipt()
            except DeliveryError as error:
                self._failed(str(error))
                self._rest(pause)
                # What is committed by now waited out the failure: it is backlog.
                self._boundary = self._ledger.head()
                position = places.position(self.name)
                continue
            position = places.receive(
                self.name,
                position,
                covered(offer.batch, receipt),
                receipt,
                unit=(offer.batch.after, offer.batch.to) if sink.cut.units else None,
            )
            for seq, reason in receipt.dead.items():
                self._log.error("refused for good", seq=seq, reason=reason)
            if receipt.refused:
                self._hold_back(receipt.refused)
            if self._failing:
                self._log.info("delivering again", pending=position.pending(self._ledger.head()))
            with self._progress:
                self._failing = False
                self._progress.notify_all()
            pause.reset()

    def _tell(self, sink: Sink) -> None:
        """Give a sink that wants them the station's figures, every so often."""
        every = sink.cut.figures_seconds
        if every <= 0 or self._clocks.tick() < self._tell_at:
            return
        self._tell_at = self._clocks.tick() + every
        with self._ledger.snapshot() as db:
            found = figures(db, self._clocks.now())
        cast(Tells, sink).tell(brief(found))

    def _next(self, position: Position, cut: Cut) -> tuple[Offer | None, float]:
        """The batch to offer now, or how long to wait."""
        head = self._head()
        late, resumed = False, False
        if self._clocks.tick() >= self._refused_until:
            self._refused = Intervals()
        position = replace(position, done=position.done.union(self._refused))
        if cut.lanes:
            found = position.next_in_lanes(head, self._boundary)
            span, late = found if found is not None else (None, False)
        else:
            span = position.next_in_order(head)
            resumed = position.planned is not None
        if span is None:
            self._waiting_since = None
            return None, IDLE_SECONDS
        if self._waiting_since is not None and not (resumed or self._flush.is_set()):
            # Nothing but time can close this batch: its rows were looked at already.
            wait = self._wait_for_more(cut)
            same_day = not cut.daily or self._clocks.now().date() == self._waiting_day
            if wait > 0 and same_day and span[1] - span[0] < cut.max_rows:
                return None, wait
        rows = self._ledger.rows(
            *span,
            cameras=self._choice.cameras,
            statuses=self._choice.statuses,
            limit=-1 if resumed else cut.max_rows,
        )
        if resumed:
            return Offer(Batch(rows, *span, cursor=position.cursor), resumed=True), 0.0
        rows, to, closed = close(rows, span, cut, self._clocks.now())
        if not closed and rows and not self._flush.is_set():
            self._waiting_day = rows[0]["read_at"].date()
            wait = self._wait_for_more(cut)
            if wait > 0:
                return None, wait
        self._waiting_since = None
        return Offer(Batch(rows, span[0], to, late=late, cursor=position.cursor)), 0.0

    def _head(self) -> int:
        """How far this sink may go: to the end of the log, or as far as the sink before it went."""
        head = self._ledger.head()
        if self._choice.after is None:
            return head
        gap = self._ledger.places.position(self._choice.after).next_in_order(head)
        return head if gap is None else min(head, gap[0])

    def _wait_for_more(self, cut: Cut) -> float:
        now = self._clocks.tick()
        if self._waiting_since is None:
            self._waiting_since = now
        return max(0.0, cut.max_seconds - (now - self._waiting_since))

    def _hold_back(self, refused: Mapping[int, str]) -> None:
        """Pass over what the far side refuses for now, so that it does not stop the rest."""
        if not self._refused.spans:
            self._refused_until = self._clocks.tick() + self._options.max_backoff_seconds
            self._log.warning("refused for now", error=next(iter(refused.values())))
        self._refused = self._refused.union(intervals(refused))
        self._ledger.places.sink_failed(self.name, next(iter(refused.values())))
        with self._progress:
            self._progress.notify_all()

    def _failed(self, words: str) -> None:
        if not self._failing:
            self._log.warning("not delivering", error=words)
        try:
            self._ledger.places.sink_failed(self.name, words)
        except sqlite3.Error as error:
            # The ledger's own disk may be the one that is full: this thread must outlive that.
            self._log.warning("cannot note the failure", error=str(error))
        with self._progress:
            self._failing = True
            self._progress.notify_all()


class Backoff:
    """Pauses that double up to a limit, with full jitter between half and the whole.

    Jitter keeps many stations from returning to one server in step (AWS Architecture Blog,
    "Exponential Backoff and Jitter").
    """

    def __init__(
        self, options: DeliveryOptions, chance: Callable[[], float] = random.random
    ) -> None:
        self._options = options
        self._chance = chance
        self.reset()

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._pause = self._options.backoff_seconds

    def next(self) -> float:
        """The next pause in seconds."""
        pause = self._pause
        self._pause = min(pause * 2, self._options.max_backoff_seconds)
        return pause * (0.5 + 0.5 * self._chance())


def close(
    rows: Sequence[Mapping[str, Any]], span: Span, cut: Cut, now: datetime
) -> tuple[Sequence[Mapping[str, Any]], int, bool]:
    """Where a batch ends: its rows, the `seq` that it reaches, and whether it is closed.

    A batch is closed when it is full, or when a day (UTC, of `read_at`) ends within it or has ended
    since. Without rows the whole span is passed over.
    """
    if not rows:
        return rows, span[1], True
    day = rows[0]["read_at"].date()
    if cut.daily:
        # A prefix, not all rows of the day: a clock that was set back comes to it twice.
        same = list(itertools.takewhile(lambda row: row["read_at"].date() == day, rows))
        if len(same) < len(rows):
            return same, same[-1]["seq"], True
    if len(rows) >= cut.max_rows:
        return rows, rows[-1]["seq"], True
    return rows, span[1], cut.daily and day < now.date()


def covered(batch: Batch, receipt: Receipt) -> Intervals:
    """What need not be offered again: the batch's range, less the rows that are still owed."""
    if receipt.delivered is None:
        return Intervals(((batch.after, batch.to),)) if batch.to > batch.after else Intervals()
    settled = receipt.delivered | receipt.dead.keys()
    owed = {row["seq"] for row in batch.rows} - settled
    return intervals(seq for seq in range(batch.after + 1, batch.to + 1) if seq not in owed)
