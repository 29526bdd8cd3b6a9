"""Frames to work on, made from bare pixels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from stages.records import Frame, ImageRef
from stages.transform import Transform


@pytest.fixture(scope="session")
def frame_of() -> Callable[[np.ndarray], Frame]:
    """Pixels, copied, as the first page of a picture."""
    image = ImageRef("id", "x.png", None, 0, "press", "x.png", datetime(2026, 1, 2, tzinfo=UTC))
    return lambda pixels: Frame(image, 1, np.array(pixels, np.uint8), Transform())
