"""Does this machine read what every machine must? A checkpoint's own golden pictures.

A processor whose kernels compute nonsense reads nonsense with full confidence; the pictures in
`golden.json` beside the weights, with the texts that they must give, find it before the first part.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, TypeAdapter

from stages.errors import PluginError

_LIST = "golden.json"


class Golden(BaseModel):
    """A picture of one line, a file beside the list, and its text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Misreading:
    """A golden picture that was read as something else."""

    golden: Golden
    read: str


def misreading(
    folder: Path, read: Callable[[Sequence[np.ndarray]], Sequence[str]], most_together: int = 1
) -> Misreading | None:
    """Return the first golden picture in `folder` that `read` gets wrong; None: all are right.

    A checkpoint without `golden.json` has none. Each picture is read alone, then they are read by
    turns in batches of 2 to `most_together`, because kernels are compiled for each size of a batch.

    Raises:
        PluginError: the list or a picture of it does not open.
    """
    path = folder / _LIST
    if not path.exists():
        return None
    try:
        listed = TypeAdapter(list[Golden]).validate_json(path.read_bytes())
        crops = [_opened(folder / each.file) for each in listed]
    except (OSError, ValueError) as error:
        raise PluginError(
            f"{path} does not open with its pictures; fetch the checkpoint again: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error
    pairs = list(zip(listed, crops, strict=True))
    turns = itertools.cycle(pairs)
    together = [list(itertools.islice(turns, size)) for size in range(2, most_together + 1)]
    for batch in [[pair] for pair in pairs] + [batch for batch in together if batch]:
        for (golden, _), text in zip(batch, read([crop for _, crop in batch]), strict=True):
            if text != golden.text:
                return Misreading(golden, text)
    return None


def _opened(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
