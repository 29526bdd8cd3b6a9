"""Labelled crops of a user's line: a CSV of files and texts in, grey pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from flows.evaluation.complaints import shortened
from flows.evaluation.labels import Label, read_sets
from flows.training.wording.texts import ALPHABET, MAX_LENGTH
from stages.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Crops:
    """Labelled crops: `pictures` are (h, w) uint8, each of its own size."""

    pictures: tuple[np.ndarray, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Crops:
        """Some of the crops."""
        return Crops(
            tuple(self.pictures[row] for row in rows), tuple(self.texts[row] for row in rows)
        )


def read_crops(paths: Sequence[Path]) -> Crops:
    """Read labelled crops in grey.

    Raises:
        ConfigError: a label file is wrong, or names a picture or a text that cannot be used.
    """
    sets = read_sets(paths)
    labels = [label for each in sets for label in each.labels]
    read = [_picture(label) for label in labels]
    wrong = [complaint for each in sets for complaint in each.complaints]
    wrong += [each for each in read if isinstance(each, str)]
    if wrong:
        raise ConfigError("\n".join(shortened(wrong)))
    pictures = [each for each in read if not isinstance(each, str)]
    return Crops(tuple(pictures), tuple(label.text for label in labels))


def stretched(crops: Crops, size: tuple[int, int]) -> torch.Tensor:
    """Crops as the recogniser resizes them: model input (N, rows, columns) uint8."""
    rows, columns = size
    resized = [
        Image.fromarray(each).resize((columns, rows), Image.Resampling.BILINEAR)
        for each in crops.pictures
    ]
    return torch.from_numpy(np.stack([np.asarray(each) for each in resized]))


def _picture(label: Label) -> np.ndarray | str:
    """The crop in grey, or why its row cannot be used."""
    if unknown := set(label.text) - set(ALPHABET):
        return (
            f"{label.place}: `{label.text}` has {''.join(sorted(unknown))}, unknown to the "
            "network; leave the row out"
        )
    if len(label.text) > MAX_LENGTH:
        return f"{label.place}: `{label.text}` is over {MAX_LENGTH} characters; leave the row out"
    picture = cv2.imread(str(label.path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        return f"{label.place}: {label.file} does not open as a picture; leave the row out"
    return picture
