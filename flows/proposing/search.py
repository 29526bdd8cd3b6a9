"""The search for a recipe: one change at a time, kept only if it reads clearly better.

In the order of a recipe: how the camera hangs, the part to keep, the lean of the text, the
detector, then filters, tried one by one and combined greedily. At the end each step is left out
once more, and stays out where nothing is lost. The number of trials is bounded, and nothing is
drawn by lot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from flows.configuration.recipes import Recipe
from flows.proposing import candidates as tried
from flows.proposing import places
from flows.proposing.candidates import Candidate
from flows.proposing.scores import (
    SURE,
    Gain,
    codes_seen,
    gain,
    least_gain,
    longest_sure,
    scores,
)
from flows.proposing.trials import (
    Line,
    Picture,
    Trial,
    detector,
    lines_of,
    recipe_of,
    views_of,
)
from stages.decode import DecodeOptions
from stages.preprocess import Step

MOST_PICTURES = 6
"""More would take more time than they tell: the others serve as a test of what came out."""

_ROUNDS = 3
_OTHER_LENGTH = 0.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of the table: what was tried, the mean score with it, and what became of it.

    `gain` is against what was in force before; None where nothing is compared.
    """

    name: str
    score: float | None
    gain: Gain | None
    verdict: str
    kept: bool = False
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What the search came to, with the code's line in each picture as the last trial read it."""

    trial: Trial
    attempts: tuple[Attempt, ...]
    lines: tuple[Line | None, ...]
    before: float
    after: float


def search(
    pictures: Sequence[Picture],
    bare: Recipe,
    options: DecodeOptions,
    say: Callable[[str], None],
) -> Found:
    """Search a way to prepare and search these 1 to `MOST_PICTURES` pictures.

    `bare` has one field, whose detector and steps are replaced; `say` is told what is tried next.

    Raises:
        RecogniserError: an engine failed.
    """
    return _Search(pictures, bare, options, say).run()


class _Search:
    def __init__(
        self,
        pictures: Sequence[Picture],
        bare: Recipe,
        options: DecodeOptions,
        say: Callable[[str], None],
    ) -> None:
        self._pictures, self._bare, self._options, self._say = pictures, bare, options, say
        self._views = views_of(pictures)
        self._read: dict[Trial, tuple[Line | None, ...]] = {}
        self._attempts: list[Attempt] = []
        self._now = Trial(detector("neural"))
        self._placed: Step | None = None

    def run(self) -> Found:
        start = self._now
        self._look("as it is", start)
        self._attempts.append(Attempt("as it is (the default)", None, None, ""))
        if not self._take_upright():
            self._one_of("mounting", self._plausible(tried.mountings()))
        self._keep_part()
        self._straighten()
        longest = max(max(each.width, each.height) for each in self._pictures)
        self._one_of("detector", tried.detectors(longest, self._placed is not None))
        rest = tried.filters(self._text_height())
        for _ in range(_ROUNDS):
            rest = self._one_of("filters", rest)
            if not rest:
                break
        if self._placed is None and self._now.steps:
            self._keep_part()
        self._leave_out()
        before, after = fmean(self._scores(start)), fmean(self._scores(self._now))
        self._attempts[0] = replace(self._attempts[0], score=before)
        lines = self._read[self._now][: len(self._pictures)]
        return Found(self._now, tuple(self._attempts), lines, before, after)

    def _look(self, name: str, trial: Trial) -> None:
        """Read every picture in every view under a trial, unless it was read so before."""
        if trial in self._read:
            return
        seen: list[tuple[Line, ...]] = []
        for number, view in enumerate(self._views):
            recipe = recipe_of(trial.with_steps(*view), self._bare)
            for count, picture in enumerate(self._pictures, number * len(self._pictures) + 1):
                self._say(f"{name}: {count} of {len(self._pictures) * len(self._views)}")
                seen.append(lines_of(picture.image, recipe, self._options))
        self._read[trial] = codes_seen(tuple(seen), self._pictures)

    def _scores(self, trial: Trial) -> tuple[float, ...]:
        longest = longest_sure(tuple(self._read.values()), len(self._pictures))
        return scores(self._read[trial], self._pictures, longest)

    def _gain(self, before: Trial, after: Trial) -> Gain:
        return gain(self._scores(before), self._scores(after), len(self._pictures))

    @property
    def _room(self) -> float:
        """What a perfect step would gain."""
        return 1 - fmean(self._scores(self._now))

    def _one_of(self, what: str, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Take the candidate that gains most, if clearly; returns others worth another try."""
        if self._room < least_gain(len(self._pictures)):
            words = f"not tried: no step can gain more than {self._room:.2f}"
            self._attempts.append(Attempt(what, None, None, words))
            return ()
        trials = {each: trial for each in candidates if (trial := each.on(self._now)).possible}
        for each, trial in trials.items():
            self._look(each.name, trial)
        gains = {each: self._gain(self._now, trial) for each, trial in trials.items()}
        best = max(gains, key=lambda each: gains[each].mean, default=None)
        if best is not None and not gains[best].is_clear:
            best = None
        for each, own in gains.items():
            verdict = _verdict(own) if each is not best else "kept: a clear gain"
            score = fmean(self._scores(trials[each]))
            row = Attempt(each.name, score, own, verdict, each is best, each.steps)
            self._attempts.append(row)
        if best is None:
            return ()
        self._now = trials[best]
        return tuple(each for each, own in gains.items() if own.mean > 0 and each is not best)

    def _take_upright(self) -> bool:
        """Turn the picture as the text in it runs; False where that tells nothing."""
        turn, words = places.mounting(self._legible_lines(self._now))
        if turn is None:
            return False
        return self._keep_unless_worse(turn, words)

    def _plausible(self, mountings: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Those under which text then runs from left to right: without it a gain is an accident."""
        if self._room < least_gain(len(self._pictures)):
            return tuple(mountings)
        found = []
        for each in mountings:
            trial = each.on(self._now)
            self._look(each.name, trial)
            if places.mounting(self._legible_lines(trial))[0] in each.steps:
                found.append(each)
                continue
            score = fmean(self._scores(trial))
            verdict = "left out: the text does not run that way"
            self._attempts.append(Attempt(each.name, score, self._gain(self._now, trial), verdict))
        return tuple(found)

    def _keep_unless_worse(self, step: Step, words: str) -> bool:
        """Take a step that where the text lies speaks for, before all others."""
        trial = self._now.with_steps(step, first=True)
        self._look(step.name, trial)
        own = self._gain(self._now, trial)
        kept = not own.is_loss
        verdict = f"kept: {words}" if kept else "left out: reads worse"
        score = fmean(self._scores(trial))
        self._attempts.append(Attempt(step.name, score, own, verdict, kept, (step,)))
        if kept:
            self._now = trial
        return kept

    def _keep_part(self) -> None:
        pairs = _legible(self._lines(self._now))
        if len(pairs) < len(self._pictures):
            words = f"text was read in {len(pairs)} of {len(self._pictures)} pictures only"
            self._attempts.append(Attempt("crop", None, None, f"left out: {words}"))
            return
        crop, words = places.part_to_keep(*zip(*pairs, strict=True))
        if crop is None:
            self._attempts.append(Attempt("crop", None, None, f"left out: {words}"))
            return
        if self._keep_unless_worse(crop, words):
            self._placed = crop

    def _straighten(self) -> None:
        turned = any(each.name == "rotate" for each in self._now.steps)
        found = self._legible_lines(self._now)
        turn, words = (None, "the picture is turned") if turned else places.turn_upright(found)
        if turn is None:
            self._attempts.append(Attempt("lean", None, None, words))
            return
        self._one_of("lean", [Candidate(f"{turn.name} ({words})", (turn,))])

    def _leave_out(self) -> None:
        """Drop what no longer helps beside the steps that came after it."""
        for each in self._now.steps[:-1]:
            if each.name in ("crop", "rotate"):
                continue
            rest = tuple(other for other in self._now.steps if other is not each)
            without = replace(self._now, steps=rest)
            name = f"without {each.name}"
            self._look(name, without)
            lost = self._gain(without, self._now)
            score = fmean(self._scores(without))
            if lost.is_clear:
                self._attempts.append(Attempt(name, score, lost, "stays: without it less is read"))
            else:
                self._attempts.append(Attempt(name, score, lost, "dropped: no clear loss"))
                self._now = without

    def _lines(self, trial: Trial) -> list[tuple[Line, Picture]]:
        own = self._read[trial][: len(self._pictures)]
        pairs = zip(own, self._pictures, strict=True)
        return [(line, picture) for line, picture in pairs if line is not None]

    def _legible_lines(self, trial: Trial) -> list[Line]:
        return [line for line, _ in _legible(self._lines(trial))]

    def _text_height(self) -> float:
        heights = [line.height for line, _ in self._lines(self._now)]
        return median(heights) if heights else min(each.height for each in self._pictures) / 10


def _legible(pairs: Sequence[tuple[Line, Picture]]) -> list[tuple[Line, Picture]]:
    """The lines that are the code, right or not: read surely, or as long as those that were."""
    lengths = [len(line.text) for line, _ in pairs if line.confidence >= SURE]
    if not lengths:
        return []
    usual = median(lengths)
    return [
        (line, picture)
        for line, picture in pairs
        if line.confidence >= SURE or abs(len(line.text) - usual) <= _OTHER_LENGTH * usual
    ]


def _verdict(own: Gain) -> str:
    if own.is_clear:
        return "left out: another gains more"
    if own.is_loss:
        return "left out: reads worse"
    return "left out: no clear gain"
