"""The recognise stage: the regions of a chunk of pictures in, readings out.

All crops go to the recogniser in one call, so that it can batch them, and those that may stand on
their head in a second one, turned; the pixels end here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.errors import PluginError
from stages.formats import Constraint
from stages.ports import Recogniser
from stages.records import Reading, Region, Transcript
from stages.turning import settle, turned_region, wants_turning


def recognise(
    regions: Sequence[Region],
    constraints: Sequence[Constraint | None],
    recogniser: Recogniser,
) -> tuple[Reading, ...]:
    """Read each region, under its field's constraint where there is one, in the order given.

    A region that is `turned` (or whose reading leaves that in doubt) is read both ways; if it
    stands on its head, its outline starts at the text's own top left.

    Raises:
        RecogniserError: the engine failed.
        PluginError: the recogniser broke its contract.
        ValueError: there is not one constraint (or None) per region.
    """
    if len(constraints) != len(regions):
        raise ValueError(f"{len(constraints)} constraints for {len(regions)} regions")
    placed = list(regions)
    transcripts = _read([region.crop for region in regions], constraints, recogniser)
    again = [
        index
        for index, region in enumerate(regions)
        if wants_turning(region.turned, transcripts[index], constraints[index])
    ]
    over = [turned_region(regions[index]) for index in again]
    seconds = _read(
        [region.crop for region in over], [constraints[index] for index in again], recogniser
    )
    for index, region, second in zip(again, over, seconds, strict=True):
        first, constraint = transcripts[index], constraints[index]
        is_over, transcripts[index] = settle(region.turned, first, second, constraint)
        placed[index] = region if is_over else regions[index]
    return tuple(
        Reading(
            field=region.field,
            page=region.page,
            box=region.box,
            outline=region.outline,
            transcript=transcript,
            model=recogniser.model,
        )
        for region, transcript in zip(placed, transcripts, strict=True)
    )


def _read(
    crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None], recogniser: Recogniser
) -> list[Transcript]:
    """One transcript per crop; what the recogniser promised is checked."""
    if not crops:
        return []
    transcripts = recogniser.read(crops, constraints)
    if len(transcripts) != len(crops) or not all(map(_consistent, transcripts)):
        raise PluginError(
            f"recogniser {type(recogniser).__name__} did not return one transcript per crop with "
            "one character each; report it to its author"
        )
    return list(transcripts)


def _consistent(transcript: Transcript) -> bool:
    return transcript.text == "".join(each.char for each in transcript.characters)
