"""What a finished recipe gives out of pictures, as production would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows import graph
from flows.configuration.recipes import Recipe
from flows.proposing.trials import Picture
from stages.decode import DecodeOptions
from stages.errors import RecogniserError
from stages.records import Failure


@dataclass(frozen=True, slots=True)
class Outcome:
    """The code that a recipe gives out of a picture, or what it may be; `confidence` 0 to 1."""

    code: str | None
    candidate: str | None
    status: str
    confidence: float


def outcomes_of(
    pictures: Sequence[Picture], recipe: Recipe, options: DecodeOptions
) -> tuple[Outcome, ...]:
    """The outcome of each picture's first mark.

    Raises:
        RecogniserError: an engine failed.
    """
    return tuple(_outcome(picture, recipe, options) for picture in pictures)


def _outcome(picture: Picture, recipe: Recipe, options: DecodeOptions) -> Outcome:
    [outcome] = graph.run_here([picture.image], recipe, options)
    if isinstance(outcome, Failure):
        if outcome.retryable:
            raise RecogniserError(outcome.reason)
        return Outcome(None, None, "failed", 0.0)
    mark = outcome.marks[0]
    return Outcome(mark.code, mark.candidate, mark.status, mark.confidence or 0.0)


def given_and_wrong(pictures: Sequence[Picture], outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """How many codes were given out that are not known to be wrong, and how many that are."""
    wrong = sum(is_wrong(*pair) for pair in zip(pictures, outcomes, strict=True))
    return sum(each.code is not None for each in outcomes) - wrong, wrong


def is_wrong(picture: Picture, outcome: Outcome) -> bool:
    """Whether a code was given out that is known not to be the picture's."""
    return picture.code is not None and outcome.code not in (None, picture.code)
