"""What is tried on a picture: each candidate a name, the steps or detector, and what it is for.

Sizes follow from the height of the text, in pixels of the picture as it is at that step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flows import plugins
from flows.proposing.trials import Trial, detector, step
from stages.preprocess import Step

_LARGE_PX, _SMALL_PX = 120, 20
"""Text higher or lower than this is also tried smaller or larger."""
_SEEN_SIDE_PX = 960
"""To which the neural detector reduces a picture, unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change to a trial, and its name in the table."""

    name: str
    steps: tuple[Step, ...] = ()
    detect: tuple[str, tuple[tuple[str, object], ...]] | None = None

    def on(self, trial: Trial) -> Trial:
        """The trial with the change."""
        if self.detect is not None:
            use, options = self.detect
            return replace(trial, detect=detector(use, **dict(options)))
        return trial.with_steps(*self.steps)


def mountings() -> tuple[Candidate, ...]:
    """How the camera may hang."""
    return tuple(
        Candidate(f"rotate by {degrees}", (step("rotate", degrees=degrees),))
        for degrees in (180, 90, 270)
    )


def detectors(longer_side_px: int, is_cropped: bool) -> tuple[Candidate, ...]:
    """Other ways to find the text than the default."""
    found = [Candidate("detect: margin 0.1", detect=("neural", (("margin", 0.1),)))]
    if longer_side_px > _SEEN_SIDE_PX:
        side = min(longer_side_px, 2 * _SEEN_SIDE_PX)
        found.append(
            Candidate(f"detect: max_side_px {side}", detect=("neural", (("max_side_px", side),)))
        )
    if "contours" in plugins.installed("detector"):
        found.append(Candidate("detect: contours", detect=("contours", ())))
    if is_cropped:
        found.append(Candidate("detect: whole", detect=("whole", ())))
    return tuple(found)


def filters(text_height_px: float) -> tuple[Candidate, ...]:
    """Ways to make the mark stand out, in the order in which equals are preferred."""
    height = text_height_px
    wide, narrow = _odd(height / 2, 5), _odd(height / 12, 3)
    candidates = [
        Candidate("invert", (step("invert", auto=True),)),
        Candidate("illumination", (step("illumination", window_px=_odd(2 * height, 15)),)),
        Candidate("clahe", (step("clahe"),)),
        Candidate("contrast", (step("contrast", factor=2.0),)),
        Candidate("blur", (step("blur", kernel_px=_odd(height / 8, 3)),)),
        Candidate("median", (step("median", kernel_px=narrow),)),
        Candidate("bilateral", (step("bilateral"),)),
        Candidate("glare", (step("glare"),)),
        Candidate("brushed_metal", (step("brushed_metal"),)),
        Candidate("erode", (step("erode", kernel_px=narrow),)),
        Candidate("black_hat", (step("black_hat", kernel_px=wide), step("invert"))),
        Candidate("top_hat", (step("top_hat", kernel_px=wide), step("invert"))),
        Candidate("threshold", (step("threshold", method="sauvola", window_px=_odd(height, 15)),)),
    ]
    if height > _LARGE_PX:
        candidates.append(Candidate("resize: smaller", (step("resize", scale=0.5),)))
    if height < _SMALL_PX:
        candidates.append(Candidate("resize: larger", (step("resize", scale=2.0),)))
    return tuple(candidates)


def names(candidates: Sequence[Candidate]) -> str:
    """What they are called, in one line."""
    return ", ".join(each.name for each in candidates)


def _odd(pixels: float, least: int) -> int:
    return max(least, 2 * round((pixels - 1) / 2) + 1)
