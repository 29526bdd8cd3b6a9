"""How many pictures one Dask graph carries: pure rules, and a picture that waits its turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stages.records import Failure, ImageRef

UNREADABLE = "the file cannot be opened: check its permissions"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed picture, the attempts already made at it, and how the last one ended.

    A `suspect` is read with nothing beside it: it was in flight when the flow died, or when the
    process `beside` did. It is `spared` once for what another one did.
    """

    image: ImageRef
    attempts: int
    error: str | None = None
    suspect: bool = False
    beside: int | None = None
    spared: bool = False

    def failed(self, error: str) -> Waiting:
        """The same picture after one more attempt that did not succeed."""
        return replace(self, attempts=self.attempts + 1, error=error, beside=None)

    def lost(self, error: str, life: int | None) -> Waiting:
        """The same picture after the process of this number died while it held others too."""
        return replace(self.failed(error), suspect=True, beside=None if self.spared else life)

    def acquitted(self) -> Waiting:
        """The same picture when it is known that another one was to blame."""
        return replace(self, attempts=self.attempts - 1, suspect=False, beside=None, spared=True)

    def given_up(self, max_attempts: int) -> Failure | None:
        """What is reported of it if it is not tried any more."""
        if self.image.sha256 is None:
            return Failure(self.image, "intake", UNREADABLE, retryable=False)
        if self.attempts < max_attempts:
            return None
        last = f": {self.error}" if self.error else " when markwatch was restarted"
        words = f"gave up after {self.attempts} attempts{last}"
        return Failure(self.image, "graph", words, retryable=False)


def chunk_size(waiting: int, slots: int, limit: int) -> int:
    """Pictures for the next chunk: one when idle, up to `limit` when behind.

    Half of what waits is left to be cut into smaller chunks, so that all slots end together
    (guided self-scheduling: Polychronopoulos and Kuck, 1987).
    """
    return max(1, min(limit, waiting // (2 * slots)))


def light_enough(pictures: Iterable[Waiting], limit_bytes: int) -> tuple[Waiting, ...]:
    """The first of them whose files have no more bytes together than that; one at least."""
    taken: list[Waiting] = []
    weight = 0
    for one in pictures:
        weight += one.image.size
        if taken and weight > limit_bytes:
            break
        taken.append(one)
    return tuple(taken)
