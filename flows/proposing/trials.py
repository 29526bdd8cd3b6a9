"""What a recipe that is tried out reads: pictures in, their lines of text out.

A trial is read by the same graph as production, at a threshold of 0 and with a line for every text
found, so that a trial shows all that it saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flows import graph
from flows.configuration.recipes import DetectChoice, Engine, Recipe
from stages.decode import DecodeOptions
from stages.detectors.layout import size
from stages.errors import RecogniserError
from stages.preprocess import Step, first_misfit
from stages.records import Failure, ImageRef, Outline


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that can be decoded: its size in pixels, and the code in it, where it is known."""

    image: ImageRef
    width: int
    height: int
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text that a trial read: `confidence` 0 to 1, `outline` in original pixels."""

    text: str
    confidence: float
    outline: Outline

    @property
    def height(self) -> float:
        """Across the text, in pixels of the original picture."""
        return size(self.outline)[1]

    @property
    def weight(self) -> float:
        """How much was read, and how surely: the characters that are right, on average."""
        return self.confidence * len(self.text)


@dataclass(frozen=True, slots=True)
class Trial:
    """A way to prepare and to search pictures: what `recipe new` may change."""

    detect: DetectChoice
    steps: tuple[Step, ...] = ()

    def with_steps(self, *steps: Step, first: bool = False) -> Trial:
        """The same with more steps, after those there are or before them."""
        return replace(self, steps=(*steps, *self.steps) if first else (*self.steps, *steps))

    @property
    def possible(self) -> bool:
        """Whether some picture can take the steps."""
        return first_misfit(self.steps) is None


def step(name: str, **options: object) -> Step:
    """A preprocess step, as a recipe types it."""
    return Step.model_validate({name: options})


def detector(use: str, **options: object) -> DetectChoice:
    """A choice of detector, as a recipe types it."""
    return DetectChoice.model_validate({"use": use, **options})


def recipe_of(trial: Trial, bare: Recipe) -> Recipe:
    """The bare recipe with a trial's steps and detector, which shows all that it reads."""
    [plan] = bare.fields
    engine = Engine("detector", trial.detect.use, trial.detect.options, plan.detector.root)
    plan = replace(plan, detector=engine, detect=trial.detect.stage, threshold=0.0, take="all")
    return replace(bare, preprocess=trial.steps, fields=(plan,))


def lines_of(image: ImageRef, recipe: Recipe, options: DecodeOptions) -> tuple[Line, ...]:
    """The lines of text that a recipe of `recipe_of` reads; none where a step does not fit.

    Raises:
        RecogniserError: an engine failed.
    """
    [outcome] = graph.run_here([image], recipe, options)
    if isinstance(outcome, Failure):
        if outcome.retryable:
            raise RecogniserError(outcome.reason)
        return ()
    return tuple(
        Line(mark.candidate, mark.confidence or 0.0, mark.reading.outline)
        for mark in outcome.marks
        if mark.reading is not None and mark.candidate
    )


VIEWS: tuple[tuple[Step, ...], ...] = (
    (),
    (step("resize", scale=0.93),),
    (step("resize", scale=1.07),),
)
"""The picture, and a little smaller and larger: how far a score is chance, where pictures are few.
"""


def views_of(pictures: Sequence[Picture]) -> tuple[tuple[Step, ...], ...]:
    """The views in which so many pictures are read: the fewer they are, the more."""
    return VIEWS if len(pictures) <= 2 else VIEWS[:1]
