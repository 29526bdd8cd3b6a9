"""Whether the flow lives and is ready: by the turns of its loop, and its sources' scans."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Health:
    """What the flow's thread told last. Written by that thread, read by others."""

    def __init__(self, tick: Callable[[], float], patience_seconds: float) -> None:
        self._tick = tick
        self._patience = patience_seconds
        self._turned_at: float | None = None
        self._scanned_at: Mapping[str, float] = {}
        self._complete = False
        self._started_at = tick()
        self._draining = False
        self.chunks_lost = 0

    def turn(
        self, scanned_at: Mapping[str, float], *, complete: bool, chunks_lost: int = 0
    ) -> None:
        """The loop makes a turn; `complete` when every source has been scanned once.

        `chunks_lost` counts the attempts that ended with their worker.
        """
        self._scanned_at, self._complete = scanned_at, complete
        self.chunks_lost = chunks_lost
        self._turned_at = self._tick()

    def drain(self) -> None:
        """The flow is ending."""
        self._draining = True

    @property
    def sick(self) -> str | None:
        """Why the process should be restarted; None when it lives."""
        since = self._tick() - (self._turned_at or self._started_at)
        if since <= self._patience or self._draining:
            return None
        return f"the loop has not turned for {since:.0f} s"

    @property
    def not_ready(self) -> str | None:
        """Why pictures are not read now; None when they are."""
        if self._draining:
            return "the station stops"
        if self._turned_at is None:
            return "the models are being loaded"
        if not self._complete:
            return "the inboxes have not been looked through yet"
        return self.sick

    def scan_ages(self) -> dict[str, float]:
        """Seconds since each source's last full scan."""
        now = self._tick()
        return {name: now - at for name, at in self._scanned_at.items()}
