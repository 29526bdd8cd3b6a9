"""From a transcript's evidence to a calibrated probability that the whole text is right.

The product of a network's character probabilities is a good order of transcripts and a poor
probability: characters err together, and a text may have one character too many or too few. A
logistic regression on a few summaries of the evidence (after Platt 1999) corrects it. It is fitted
by `flows/evaluation/calibration.py` and kept beside the weights as `calibration.json`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.errors import PluginError
from stages.records import Character, Transcript

FILE = "calibration.json"

FEATURES = ("least_logit", "text_logit", "margin", "draft_agreement", "log_length")
"""Names of the inputs, in order; the first `MONOTONE` may only raise the probability."""

MONOTONE = 4

_LEAST = 1e-6
"""Probabilities are kept this far from 0 and 1: float32 rounds what is closer to 1."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a transcript that holds text.

    `least` is the smallest probability of a character and `product` that of all, 0 to 1; `margin`
    the smallest log-probability of a character over its best alternative, in nats. `draft_agrees`
    tells whether an independent draft (a CTC head's) reads the same; None where there is none.
    """

    least: float
    product: float
    margin: float
    length: int
    draft_agrees: bool | None = None


def evidence_of(transcript: Transcript, draft_agrees: bool | None = None) -> Evidence:
    """Sum up a transcript; a character without an alternative could have had all that is left.

    Raises:
        ValueError: it holds no text.
    """
    if not transcript.characters:
        raise ValueError("a transcript without text has no evidence")
    chances = [_within(each.confidence) for each in transcript.characters]
    others = [
        1.0 - chance if each.alternative_confidence is None else each.alternative_confidence
        for chance, each in zip(chances, transcript.characters, strict=True)
    ]
    return Evidence(
        least=min(chances),
        product=math.prod(chances),
        margin=min(
            math.log(chance / _within(other)) for chance, other in zip(chances, others, strict=True)
        ),
        length=len(chances),
        draft_agrees=draft_agrees,
    )


def features(evidence: Evidence) -> tuple[float, ...]:
    """The inputs of the regression, in the order of `FEATURES`."""
    agreement = {None: 0.0, True: 1.0, False: -1.0}[evidence.draft_agrees]
    return (
        _logit(evidence.least),
        _logit(evidence.product),
        evidence.margin,
        agreement,
        math.log(evidence.length),
    )


class Calibration(BaseModel):
    """A fitted regression: the probability is sigmoid(bias + weights . features).

    `model` is `name@hash` of the weights that read the `pictures` of `fitted_on`. No weight of a
    monotone feature is negative, so better evidence for a text of the same length never lowers
    its probability.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float = Field(allow_inf_nan=False)
    model: str
    fitted_on: str
    pictures: int = Field(ge=1)

    @model_validator(mode="after")
    def _usable(self) -> Calibration:
        if self.features != FEATURES:
            raise ValueError(f"it uses the features {', '.join(self.features)}")
        if len(self.weights) != len(FEATURES) or not all(map(math.isfinite, self.weights)):
            raise ValueError(f"it has not one finite weight for each of {', '.join(FEATURES)}")
        if min(self.weights[:MONOTONE]) < 0:
            raise ValueError("a weight is negative, so that better evidence would count as worse")
        return self

    def probability(self, evidence: Evidence) -> float:
        """The probability, 0 to 1, that the whole text is right."""
        inputs = zip(self.weights, features(evidence), strict=True)
        return sigmoid(self.bias + math.fsum(weight * value for weight, value in inputs))

    def save(self, folder: Path) -> None:
        """Write `calibration.json` into a folder."""
        text = self.model_dump_json(indent=2) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def load(folder: Path) -> Calibration | None:
    """The calibration in a checkpoint's folder; None where there is none.

    Raises:
        PluginError: it is there and cannot be used.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        words = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise PluginError(f"{path} cannot be used ({words}); fit it anew or delete it") from error


def calibrated(transcript: Transcript, probability: float) -> Transcript:
    """The transcript with confidences whose product is `probability`, in the order they had.

    All are raised to one power, so a doubtful character stays the doubtful one; what a character
    gains, its alternative loses in the same proportion.
    """
    wanted = math.log(_within(probability))
    chances = [_within(each.confidence) for each in transcript.characters]
    power = wanted / math.fsum(map(math.log, chances))
    return replace(
        transcript,
        characters=tuple(
            _moved(each, chance, chance**power)
            for each, chance in zip(transcript.characters, chances, strict=True)
        ),
    )


def _moved(character: Character, before: float, after: float) -> Character:
    other = character.alternative_confidence
    if other is not None:
        other = min(other * (1.0 - after) / (1.0 - before), 1.0 - after)
    return replace(character, confidence=after, alternative_confidence=other)


def sigmoid(value: float) -> float:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * value))


def _within(probability: float) -> float:
    # NaN compares false, so it becomes the least.
    return min(probability, 1.0 - _LEAST) if probability > _LEAST else _LEAST


def _logit(probability: float) -> float:
    chance = _within(probability)
    return math.log(chance) - math.log1p(-chance)
