"""Readings made by hand, and the map stage with the fields that a test does not care about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import pytest

from stages.map import Lexicon, MapOptions, map_readings
from stages.records import Candidate, Character, Mark, Outline, Reading, Transcript


def _reading(
    text: str,
    confidence: float | Sequence[float] = 0.99,
    alternatives: Mapping[int, tuple[str, float]] | None = None,
    candidates: Sequence[Candidate] = (),
    at: tuple[float, float] = (10.0, 10.0),
    height: float = 20.0,
    outline: Outline | None = None,
) -> Reading:
    """An upright line of `text` whose top left is `at`; a character is 0.6 heights wide."""
    confidences = [confidence] * len(text) if isinstance(confidence, float) else confidence
    other = alternatives or {}
    characters = tuple(
        Character(char, value, None, *other.get(index, (None, None)))
        for index, (char, value) in enumerate(zip(text, confidences, strict=True))
    )
    left, top = at
    right, bottom = left + 0.6 * height * len(text), top + height
    corners = outline or ((left, top), (right, top), (right, bottom), (left, bottom))
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Reading(
        field="code",
        page=1,
        box=(min(xs), min(ys), max(xs), max(ys)),
        outline=corners,
        transcript=Transcript(text, characters, tuple(candidates)),
        model="hand@1",
    )


def _mapped(
    *readings: Reading,
    threshold: float = 0.8,
    take: str = "best",
    expected: str | None = None,
    captured_at: datetime | None = None,
    codes: Sequence[str] = (),
    **options: object,
) -> tuple[Mark, ...]:
    chosen = MapOptions(**options)
    return map_readings(
        readings,
        field="code",
        page=1,
        options=chosen,
        constraint=chosen.constraint,
        threshold=threshold,
        take=take,
        expected=expected,
        captured_at=captured_at,
        lexicon=Lexicon.of(codes) if codes else None,
    )


# Of the session, because Hypothesis refuses fixtures that would be made anew for each example.
@pytest.fixture(scope="session")
def reading() -> Callable[..., Reading]:
    """Build a `Reading`."""
    return _reading


@pytest.fixture(scope="session")
def mapped() -> Callable[..., tuple[Mark, ...]]:
    """Run `map_readings`; keywords that are no parameters become `MapOptions`."""
    return _mapped
