"""A recogniser that reads nothing and takes a told time, so that what is around it is measured.

It enters by an entry point, as a stranger's plug-in does: a folder on `PYTHONPATH` that says so.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import numpy as np
from PIL import Image
from pydantic import Field

from stages.formats import Constraint
from stages.options import Options
from stages.records import Character, Transcript

NAME = "pretending"
RECIPE = "fields: [{detect: {use: whole, turned: never}}]\n"
_TEXT = "KX204817"


class PretendingRecogniser:
    """Waits for each crop, off the processor, and says that it read the same."""

    # So that threads that wait do not wait for each other.
    per_thread: ClassVar[bool] = True
    model = "pretending@00000000"

    class Options(Options):
        """How long it takes."""

        crop_ms: float = Field(default=0.0, ge=0, description="milliseconds that a crop takes")

    def __init__(self, options: Options) -> None:
        self._seconds = options.crop_ms / 1000

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        if self._seconds:
            time.sleep(self._seconds * len(crops))
        characters = tuple(Character(char, 0.999) for char in _TEXT)
        return [Transcript(_TEXT, characters) for _ in crops]


def plugin_folder(folder: Path) -> Path:
    """Make the folder that has to be on `PYTHONPATH` for a process to know the recogniser."""
    told = folder / "plugin" / "markwatch_pretending-1.0.dist-info"
    told.mkdir(parents=True)
    about = ("Metadata-Version: 2.1", "Name: markwatch-pretending", "Version: 1.0", "")
    (told / "METADATA").write_text("\n".join(about))
    (told / "entry_points.txt").write_text(
        f"[markwatch.recognisers]\n{NAME} = {__name__}:{PretendingRecogniser.__name__}\n"
    )
    return told.parent


@contextmanager
def known_here(folder: Path) -> Iterator[None]:
    """Let this process know the recogniser for as long as the block lasts."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def picture(number: int = 0, size: tuple[int, int] = (64, 32)) -> bytes:
    """A little PNG that is not blank, and differs from those of other numbers."""
    pixels = np.full(size[::-1], 200, np.uint8)
    pixels[8:24, 8:56:6] = 30
    pixels[0, :4] = [number >> shift & 255 for shift in (0, 8, 16, 24)]
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", compress_level=1)
    return written.getvalue()
