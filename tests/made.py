"""Records and pictures that several tests make: small, real, and always the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from stages.records import Character, Failure, ImageRef, Mark, Reading, Report, Transcript

MORNING = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


class Clock:
    """Time that a test moves: call it for now, or use `tick` for monotonic seconds."""

    def __init__(self, now: datetime = MORNING) -> None:
        self.now = now
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.now

    def tick(self) -> float:
        return self.seconds


def image(number: int = 1, *, camera: str = "cam", path: str | None = None, **changes) -> ImageRef:
    """A claimed picture; `number` makes its id."""
    values = {
        "id": f"01900000-0000-7000-8000-{number:012d}",
        "path": path or f"/nowhere/{number}.png",
        "sha256": f"{number:064x}",
        "size": 100,
        "camera": camera,
        "name": f"part-{number}.png",
        "arrived_at": MORNING,
        "captured_at": MORNING,
    }
    return ImageRef(**(values | changes))


def report(number: int = 1, *, code: str = "KX204817", marks: int = 1, **changes) -> Report:
    """A report with `marks` read marks."""
    outline = ((1.0, 2.0), (11.0, 2.0), (11.0, 6.0), (1.0, 6.0))
    transcript = Transcript(code, tuple(Character(char, 0.9) for char in code))
    reading = Reading("code", 1, (1.0, 2.0, 11.0, 6.0), outline, transcript, "model@1")
    mark = Mark("code", 1, "read", code=code, candidate=code, confidence=0.9, reading=reading)
    return Report(image(number, **changes), (mark,) * marks, "default@1", "model@1", {"map": 0.5})


def failure(number: int = 1, **changes) -> Failure:
    """A picture that could not be decoded."""
    return Failure(image(number, **changes), "decode", "the file is truncated", retryable=False)


def picture(path: Path, level: int, *, size: tuple[int, int] = (64, 32)) -> Path:
    """A grey picture whose first pixel is `level`: the scripted recogniser's instruction."""
    pixels = np.full((size[1], size[0]), 128, np.uint8)
    pixels[0, 0] = level
    pixels[-4:, -4:] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
