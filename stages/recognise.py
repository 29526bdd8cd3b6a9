"""The recognise stage: the regions of a chunk of pictures in, readings out.

All crops go to the recogniser in one call, so that it can batch them; the pixels end here.
"""

from __future__ import annotations

from collections.abc import Sequence

from stages.errors import PluginError
from stages.formats import Constraint
from stages.ports import Recogniser
from stages.records import Reading, Region, Transcript


def recognise(
    regions: Sequence[Region],
    constraints: Sequence[Constraint | None],
    recogniser: Recogniser,
) -> tuple[Reading, ...]:
    """Read each region, under its field's constraint where there is one, in the order given.

    Raises:
        RecogniserError: the engine failed.
        PluginError: the recogniser broke its contract.
        ValueError: there is not one constraint (or None) per region.
    """
    if len(constraints) != len(regions):
        raise ValueError(f"{len(constraints)} constraints for {len(regions)} regions")
    if not regions:
        return ()
    transcripts = recogniser.read([region.crop for region in regions], constraints)
    if len(transcripts) != len(regions) or not all(map(_consistent, transcripts)):
        raise PluginError(
            f"recogniser {type(recogniser).__name__} did not return one transcript per crop with "
            "one character each; report it to its author"
        )
    return tuple(
        Reading(
            field=region.field,
            page=region.page,
            box=region.box,
            outline=region.outline,
            transcript=transcript,
            model=recogniser.model,
        )
        for region, transcript in zip(regions, transcripts, strict=True)
    )


def _consistent(transcript: Transcript) -> bool:
    return transcript.text == "".join(each.char for each in transcript.characters)
