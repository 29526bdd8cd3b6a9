"""Lines and pictures as a trial sees them."""

from __future__ import annotations

from collections.abc import Callable

import made
import pytest

from flows.proposing.trials import Line, Picture

MakeLine = Callable[..., Line]
MakePicture = Callable[..., Picture]


@pytest.fixture
def line() -> MakeLine:
    """Makes a line of text with its top left at `at`, and as high as `height`."""

    def make(
        text: str = "KX204817",
        confidence: float = 0.95,
        at: tuple[float, float] = (100, 100),
        height: float = 20,
        falls: float = 0,
    ) -> Line:
        x, y = at
        ends = x + 100, y + falls
        corners = ((x, y), ends, (ends[0], ends[1] + height), (x, y + height))
        return Line(text, confidence, corners)

    return make


@pytest.fixture
def picture() -> MakePicture:
    """Makes a picture of that size whose code may be known."""

    def make(code: str | None = None, size: tuple[int, int] = (1000, 800), number: int = 1):
        return Picture(made.image(number), *size, code)

    return make
