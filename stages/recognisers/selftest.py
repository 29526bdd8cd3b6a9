"""Does this machine read what every machine must? A checkpoint's own golden pictures.

A processor whose kernels compute nonsense reads nonsense with full confidence; the pictures in
`golden.json` beside the weights, with the texts that they must give, find it before the first part.
"""

from __future__ import annotations

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
    folder: Path, read: Callable[[Sequence[np.ndarray]], Sequence[str]]
) -> Misreading | None:
    """Return the first golden picture in `folder` that `read` gets wrong; None: all are right.

    A checkpoint without `golden.json` has none. Each picture is read alone.

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
    for golden, crop in zip(listed, crops, strict=True):
        (text,) = read([crop])
        if text != golden.text:
            return Misreading(golden, text)
    return None


def _opened(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
