"""How many pictures one Dask graph carries: pure rules, and a picture that waits its turn."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stages.records import ImageRef


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed picture, the attempts already made at it, and how the last one ended.

    A `suspect` was in flight when the flow died: it is read with nothing beside it.
    """

    image: ImageRef
    attempts: int
    error: str | None = None
    suspect: bool = False

    def failed(self, error: str) -> Waiting:
        """The same picture after one more attempt that did not succeed."""
        return replace(self, attempts=self.attempts + 1, error=error)

    def reason(self) -> str:
        """Why it is given up, in one line."""
        last = f": {self.error}" if self.error else " when markwatch was restarted"
        return f"gave up after {self.attempts} attempts{last}"


def chunk_size(waiting: int, slots: int, limit: int) -> int:
    """Pictures for the next chunk: one when idle, up to `limit` when behind.

    Half of what waits is left to be cut into smaller chunks, so that all slots end together
    (guided self-scheduling: Polychronopoulos and Kuck, 1987).
    """
    return max(1, min(limit, waiting // (2 * slots)))
