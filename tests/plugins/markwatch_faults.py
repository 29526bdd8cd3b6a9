"""A little third-party distribution: engines that crash, hang, leak, lie or raise; a refusing sink.

It enters by the same entry points as any stranger's plug-in. What the scripted recogniser does is
written into the picture: the grey level of the crop's first pixel.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from stages.errors import DeliveryError, RecogniserError
from stages.formats import Constraint
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site
from stages.records import Character, Detection, Frame, Transcript

CRASH, HANG, RAISE, BUG, SLOW = 11, 22, 33, 44, 55
NUMPY, SURROGATE, NAN = 66, 77, 88
LEAK, SHORT = 91, 92
MARKUP, LONG = 97, 98
SLOW_SECONDS = 1.0
LEAK_MB, LEAK_MOST_MB, LEAK_SECONDS = 32, 8192, 0.02


class _Plugin:
    per_thread = False

    def __init__(self, options: Options) -> None:
        self.options = options

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass


class EverythingDetector(_Plugin):
    """One region: the whole frame, blank or not."""

    class Options(Options):
        pass

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        found = []
        for frame in frames:
            height, width = frame.pixels.shape[:2]
            corners = ((0, 0), (width, 0), (width, height), (0, height))
            found.append([Detection(corners, 1.0)])
        return found


class ScriptedRecogniser(_Plugin):
    """Reads `G<level>`, where level is the first pixel's, or misbehaves where the level says so."""

    model = "scripted@00000000"

    class Options(Options):
        marker: str | None = Field(
            default=None, description="file to append a line to at each read"
        )
        loads: str | None = Field(default=None, description="file to append to when it is loaded")

    def __enter__(self):
        if self.options.loads:
            with open(self.options.loads, "a") as file:
                file.write(f"{os.getpid()}\n")
        return self

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        if self.options.marker:
            with open(self.options.marker, "a") as file:
                file.write(f"{os.getpid()} {len(crops)}\n")
        levels = [int(crop.reshape(-1)[0]) for crop in crops]
        return [self._one(level) for level in levels if level != SHORT]

    def _one(self, level: int) -> Transcript:
        if level == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if level == HANG:
            time.sleep(3600)
        if level == LEAK:
            _leak()
        if level == SLOW:
            time.sleep(SLOW_SECONDS)
        if level == RAISE:
            raise RecogniserError("the engine says no")
        if level == BUG:
            raise ZeroDivisionError("a bug in a plug-in")
        odd_texts = {
            SURROGATE: "\ud800",
            MARKUP: "<script>window.pwned=1</script><img/src=x/onerror=pwned=1>",
            LONG: "G" + "0123456789" * 6,
        }
        text = odd_texts.get(level, f"G{level:03d}")
        odd = {NUMPY: np.float32(0.99), NAN: float("nan")}
        return Transcript(text, tuple(Character(char, odd.get(level, 0.99)) for char in text))


def _leak() -> None:
    """Take memory until somebody stops it, or far more than any limit of a test is taken."""
    kept = []
    while len(kept) * LEAK_MB < LEAK_MOST_MB:
        kept.append(np.ones(LEAK_MB << 17))
        time.sleep(LEAK_SECONDS)


class RefusingSink:
    """Takes nothing while a file exists; otherwise appends each id to another file."""

    cut = Cut(max_rows=10, lanes=True)

    class Options(Options):
        closed: str = Field(description="no rows are taken while this file exists")
        out: str = Field(description="file that ids are appended to")
        denied: str | None = Field(default=None, description="file that names a refused camera")

    def __init__(self, options: Options, site: Site, name: str) -> None:
        self.options = options

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @staticmethod
    def folders(options: Options, site: Site) -> tuple[Path, ...]:
        return ()

    def deliver(self, batch: Batch) -> Receipt:
        if os.path.exists(self.options.closed):
            # The name makes the words long enough to want a page of their own in the ledger.
            raise DeliveryError(f"closed for the test; remove {self.options.closed * 100}"[:9000])
        denied = Path(self.options.denied).read_text() if self.options.denied else None
        taken = [row for row in batch.rows if row["camera"] != denied]
        with open(self.options.out, "a") as file:
            for row in taken:
                file.write(f"{row['seq']} {'late' if batch.late else 'live'} {row['id']}\n")
        refused = {row["seq"]: "not allowed" for row in batch.rows if row["camera"] == denied}
        return Receipt(frozenset(row["seq"] for row in taken), refused=refused)

    def announce(self, state: str) -> None:
        pass

    def probe(self) -> str:
        return "a file"
