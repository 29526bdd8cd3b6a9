"""Pictures that are to be read again, on their way into the walk beside the new ones.

A wish stands in the ledger until the new revision is committed, so a crash only means that the
picture is read once more. Its tries are counted before it is read; one that was in work when the
flow died is read alone after that, so that the one which brings the flow down is known, and given
up. The filed original is not touched before the commit: the commit itself says where the picture
belongs now, and a restart finishes the move. Rereads take at most a quarter of what may be in
flight. Used by the flow's own thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import structlog

from flows.chunks import Waiting
from flows.configuration.settings import Layout
from flows.files.digest import digest_of
from flows.ledger.log import Ledger
from flows.ledger.records import image_of
from stages.records import Failure, ImageRef, Report

LOOK_SECONDS = 1.0
SHARE = 4
MOST_TRIES = 4


class Rereads:
    """Takes wished pictures as far as there is room, and judges what became of them."""

    def __init__(self, layout: Layout, ledger: Ledger, tick: Callable[[], float]) -> None:
        self._layout = layout
        self._ledger = ledger
        self._tick = tick
        self._look_at = tick()
        self._reading: dict[str, bool] = {}
        self._log = structlog.get_logger("markwatch.rereads")

    @property
    def idle(self) -> bool:
        """Whether nobody wishes for anything."""
        return not (self._reading or self._ledger.wishes.open())

    def take(self, room: int, held: Collection[str] = ()) -> list[Waiting]:
        """The next wished pictures, none of the `held` cameras; looks once a second."""
        room = min(room, max(1, (room + len(self._reading)) // SHARE) - len(self._reading))
        if room <= 0 or self._tick() < self._look_at:
            return []
        self._look_at = self._tick() + LOOK_SECONDS
        chosen: list[Waiting] = []
        dropped: list[str] = []
        for record in self._ledger.wishes.open():
            if len(chosen) == room:
                self._look_at = self._tick()
                break
            if record["id"] in self._reading or record["camera"] in held:
                continue
            suspect = record["tries"] > 0
            if suspect and (chosen or self._reading):
                break
            image = image_of(record, self._layout.root / os.fsdecode(record["target"]))
            words = self._refusal(image, record["tries"], record["discard"])
            if words is not None:
                self._log.error("not read again", image=image.name, id=image.id, reason=words)
                dropped.append(image.id)
                continue
            self._reading[image.id] = record["reason"] is not None
            chosen.append(Waiting(image, 0, suspect=suspect))
            if suspect:
                break
        if dropped:
            self._ledger.wishes.drop(dropped)
        if chosen:
            self._ledger.wishes.tried(one.image.id for one in chosen)
        return chosen

    @staticmethod
    def _refusal(image: ImageRef, tries: int, discard: str | None) -> str | None:
        if discard is not None:
            return "the picture was removed by retention"
        if tries >= MOST_TRIES:
            return f"gave up after {tries} tries: the flow ended in each, the last of them alone"
        try:
            digest = digest_of(Path(image.path))
        except OSError as error:
            return f"the picture cannot be opened ({error.strerror})"
        if image.sha256 not in (None, digest):
            return "the picture was changed since it was filed"
        return None

    def accept(self, results: Iterable[Report | Failure]) -> list[Report | Failure]:
        """The results that are to be committed.

        A picture that was read before and cannot be read now is none of them: its report stands.
        """
        kept: list[Report | Failure] = []
        for result in results:
            failed_before = self._reading.get(result.image.id)
            if failed_before is False and isinstance(result, Failure):
                self._ledger.wishes.drop([result.image.id])
                del self._reading[result.image.id]
                self._log.error(
                    "not read again, the earlier report stands",
                    image=result.image.name,
                    id=result.image.id,
                    reason=result.reason,
                )
                continue
            kept.append(result)
        for result in kept:
            if self._reading.pop(result.image.id, None) is not None:
                self._look_at = self._tick()
        return kept
