"""What is said of a proposal: what was tried, what is read in each picture, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.files.filenames import shown
from flows.proposing.outcomes import Outcome, given_and_wrong, is_wrong
from flows.proposing.scores import least_gain
from flows.proposing.search import MOST_PICTURES, Found
from flows.proposing.trials import Picture

_FEW = 3


def count_of(pictures: Sequence[Picture]) -> str:
    """So many pictures, in words."""
    return "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"


def show_attempts(found: Found, pictures: Sequence[Picture], console: Console) -> None:
    """Print a row for all that was tried, with its score and gain, and what a score is."""
    table = Table("tried", "score", "gain", "result", box=None, pad_edge=False)
    for each in found.attempts:
        score = "" if each.score is None else f"{each.score:.2f}"
        change = "" if each.gain is None else f"{each.gain.mean:+.2f}"
        style = "bold" if each.kept else ""
        table.add_row(*(Text(cell, style) for cell in (each.name, score, change, each.verdict)))
    console.print(table)
    what = (
        "how like the code the text is, and how surely"
        if any(each.code is not None for each in pictures)
        else "the calibrated confidence of the text"
    )
    console.print(
        f"score: {what}; the mean of {count_of(pictures)}, at best 1. A gain is clear from "
        f"{least_gain(len(pictures)):.2f} on, if pictures so different do not give it by chance.\n"
    )


def show_outcomes(
    pictures: Sequence[Picture],
    before: Sequence[Outcome],
    after: Sequence[Outcome],
    console: Console,
) -> None:
    """Print what the default and the proposed recipe say of each picture."""
    table = Table("image", "default", "", "this recipe", "", box=None, pad_edge=False)
    for picture, *pair in zip(pictures, before, after, strict=True):
        cells = [Text(cell) for each in pair for cell in _cells(picture, each)]
        table.add_row(Text(shown(picture.image.name)), *cells)
    console.print(table)


def sureness(found: Found, pictures: Sequence[Picture], after: Sequence[Outcome]) -> Iterator[str]:
    """How far the proposal may be trusted, line by line in plain words."""
    right, wrong = given_and_wrong(pictures, after)
    known = all(each.code is not None for each in pictures)
    verb = "read right" if known else "gave a code"
    yield f"{right} of {count_of(pictures)} {verb}{f', {wrong} gave a WRONG one' if wrong else ''}"
    if 2 * right < len(pictures):
        yield "poor: most pictures are not read; better light or a sharper picture will do more"
    elif not found.trial.steps and len(found.attempts) > 1:
        yield "no step gains clearly: the pictures are read as they are"
    if len(pictures) < _FEW:
        verb = "shows" if len(pictures) == 1 else "show"
        yield f"hardly sure: {count_of(pictures)} {verb} little; give {_FEW} to {MOST_PICTURES}"
    elif known:
        yield f"as sure as {count_of(pictures)} can make it; more may show what these do not"
    else:
        yield (
            "half sure: without codes the score is what the recogniser itself believes; compare "
            "the codes above with the parts, or give `--text` or `--labels`"
        )


def tested(
    pictures: Sequence[Picture], before: Sequence[Outcome], after: Sequence[Outcome]
) -> Iterator[str]:
    """How default and recipe do on pictures that the search did not see."""
    if not pictures:
        return
    old, new = given_and_wrong(pictures, before), given_and_wrong(pictures, after)
    what = "{} right, {} wrong" if all(each.code for each in pictures) else "{} codes"
    yield (
        f"on {count_of(pictures)} kept back from the search: default {what.format(*old)}; this "
        f"recipe {what.format(*new)}"
    )
    if new[0] < old[0] or new[1] > old[1]:
        yield "WORSE than the default there: do not use it as it is; give other pictures"


def _cells(picture: Picture, outcome: Outcome) -> tuple[str, str]:
    text = outcome.code or (f"({outcome.candidate})" if outcome.candidate else "-")
    wrong = " WRONG" if is_wrong(picture, outcome) else ""
    return shown(text), f"{outcome.status} {outcome.confidence:.2f}{wrong}"
