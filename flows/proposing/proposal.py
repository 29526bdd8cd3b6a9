"""What the search found -> a recipe's text, its format and threshold held against the pictures."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flows.configuration import recipes
from flows.configuration.recipes import DEFAULT, FieldRecipe, Recipe
from flows.configuration.settings import Layout, Settings
from flows.proposing.outcomes import given_and_wrong, is_wrong, outcomes_of
from flows.proposing.scores import SURE
from flows.proposing.search import Found
from flows.proposing.shape import LEAST_KNOWN, LEAST_READ, shape_of
from flows.proposing.trials import Picture
from flows.proposing.writing import Proposal, recipe_text
from stages.map import MapOptions
from stages.map.clean import Case

_CLEAR_TEXT = 0.9
_WITHOUT = "Without a format, any confident text is a code."


def bare_recipe(layout: Layout, site: Settings, case: Case) -> Recipe:
    """The default: one field, the best line of text, no format."""
    bare = recipes.load_files(layout, DEFAULT, [], site.recogniser)
    [plan] = bare.fields
    return replace(bare, fields=(replace(plan, map=MapOptions(case=case)),))


def proposed(
    found: Found,
    pictures: Sequence[Picture],
    codes: Sequence[str],
    case: Case,
    layout: Layout,
    site: Settings,
) -> tuple[str, Recipe]:
    """The recipe's text and the recipe itself, of the pictures that the search saw.

    `codes` are all that are known, of other pictures of the camera too. A format that loses codes
    among the pictures is left a comment; a threshold under a wrong reading's confidence is raised.

    Raises:
        RecogniserError: an engine failed.
    """
    proposal = _proposal(found, pictures, codes, case)
    text, recipe = _compiled(proposal, layout, site)
    outcomes = outcomes_of(pictures, recipe, site.decode)
    if proposal.sure:
        _, free = _compiled(replace(proposal, sure=False), layout, site)
        without = outcomes_of(pictures, free, site.decode)
        if given_and_wrong(pictures, outcomes)[0] < given_and_wrong(pictures, without)[0]:
            words = f"Left out: it loses codes that are read without it. {_WITHOUT}"
            proposal = replace(proposal, sure=False, pattern_reason=words)
            outcomes = without
            text, recipe = _compiled(proposal, layout, site)
    pairs = zip(pictures, outcomes, strict=True)
    if wrong := [each.confidence for picture, each in pairs if is_wrong(picture, each)]:
        proposal = replace(
            proposal,
            threshold=min(1.0, (math.floor(max(wrong) * 1000) + 1) / 1000),
            threshold_reason="Over the confidence of a wrong reading. `markwatch recipe "
            "fit-threshold` sets it from labelled pictures.",
        )
        text, recipe = _compiled(proposal, layout, site)
    return text, recipe


def layers(layout: Layout, path: Path) -> list[Path]:
    """The files that make a recipe of this one: the default's, and it."""
    return [each for each in (layout.recipes / f"{DEFAULT}.yaml", path) if each.is_file()]


def _compiled(proposal: Proposal, layout: Layout, site: Settings) -> tuple[str, Recipe]:
    text = recipe_text(proposal)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "proposal.yaml")
        path.write_text(text, encoding="utf-8")
        own = recipes.load_files(layout, path.stem, layers(layout, path), site.recogniser)
    return text, own


def _proposal(
    found: Found, pictures: Sequence[Picture], codes: Sequence[str], case: Case
) -> Proposal:
    count = f"{len(pictures)} picture{'s' * (len(pictures) != 1)}"
    reasons = {
        each.steps[0]: f"{each.name}: score {each.score - each.gain.mean:.2f} without, "
        f"{each.score:.2f} with it, in {count}; {each.verdict.removeprefix('kept: ')}."
        for each in found.attempts
        if each.kept and each.steps and each.gain is not None and each.score is not None
    }
    pattern, sure, why = _format(found, pictures, codes)
    return Proposal(
        description=f"Proposed from {count} by `markwatch recipe new`; say here what is read.",
        about=(
            f"Proposed from {count}. Mean score, at best 1: {found.before:.2f} as the default "
            f"reads them, {found.after:.2f} by this recipe. Steps without a clear gain were left "
            "out.",
        ),
        trial=found.trial,
        reasons=reasons,
        case=case,
        pattern=pattern,
        pattern_reason=why,
        sure=sure,
        threshold=FieldRecipe().threshold,
        threshold_reason="The default; `markwatch recipe fit-threshold` sets it from labelled "
        "pictures.",
    )


def _format(
    found: Found, pictures: Sequence[Picture], codes: Sequence[str]
) -> tuple[str | None, bool, str]:
    """The format, whether it holds, and why."""
    if codes:
        shape, least, what = shape_of(codes), LEAST_KNOWN, "known codes"
        is_clear = True
    else:
        lines = [line for line in found.lines if line is not None]
        sure = [line.text for line in lines if line.confidence >= SURE]
        shape, least, what = shape_of(sure), LEAST_READ, "texts that were read"
        is_clear = (
            shape is not None
            and shape.alternatives == 1
            and len(lines) == len(pictures)
            and min(line.confidence for line in lines) >= _CLEAR_TEXT
        )
    if shape is None:
        words = f"Give the code's format here; the {what} have no shape in common. {_WITHOUT}"
        return None, False, words
    if is_clear and shape.codes >= least:
        return shape.pattern, True, f"The shape of {shape.codes} different {what}."
    words = f"The shape of {shape.codes} different {what}, which is not enough to be sure: if it is"
    return shape.pattern, False, f"{words} right, take the # away. {_WITHOUT}"
