"""When each file of an inbox is to be looked at again: folders take turns, file by file."""

from __future__ import annotations

import heapq
import os
from collections import deque


class Looks:
    """Files and the times of their next look, in monotonic seconds. Used by one thread.

    A file in a folder of its own is not looked at after a hundred thousand in another.
    """

    def __init__(self) -> None:
        self._at: dict[str, tuple[float, float]] = {}
        """Each file's next look, and the time of its one live entry in its folder's queue."""
        self._queues: dict[str, list[tuple[float, str]]] = {}
        self._turns: deque[str] = deque()

    def plan(self, path: str, at: float) -> None:
        """Look at `path` at this time instead of any other."""
        known = self._at.get(path)
        # A later time keeps the entry, which `due` moves when it comes up: a file written in ten
        # thousand pieces leaves one entry behind.
        if known is not None and known[1] <= at:
            self._at[path] = (at, known[1])
            return
        self._at[path] = (at, at)
        self._push(path, at)

    def drop(self, path: str) -> None:
        """Do not look at `path` again."""
        self._at.pop(path, None)

    def due(self, now: float, most: int) -> list[str]:
        """At most `most` files whose time has come, one folder after the other; they are dropped.

        A folder that had its turn is last the next time.
        """
        found: list[str] = []
        resting = 0
        while len(found) < most and resting < len(self._turns):
            folder = self._turns.popleft()
            path = self._first_due(folder, now)
            if path is not None:
                found.append(path)
                del self._at[path]
                resting = 0
            if self._queues[folder]:
                self._turns.append(folder)
                resting += path is None
            else:
                del self._queues[folder]
        return found

    def _first_due(self, folder: str, now: float) -> str | None:
        queue = self._queues[folder]
        while queue and queue[0][0] <= now:
            queued, path = heapq.heappop(queue)
            at, live = self._at.get(path, (0.0, None))
            if live != queued:
                continue
            if at <= now:
                return path
            self._at[path] = (at, at)
            heapq.heappush(queue, (at, path))
        return None

    def _push(self, path: str, at: float) -> None:
        folder = os.path.dirname(path)
        if folder not in self._queues:
            self._queues[folder] = []
            self._turns.append(folder)
        heapq.heappush(self._queues[folder], (at, path))
