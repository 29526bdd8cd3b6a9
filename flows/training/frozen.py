"""`python -m flows.training.frozen MATERIAL OUT`: the shipped evaluation set, rendered once.

A folder for each tier with `labels.csv` and natural crops as a camera would give them: typefaces
that are never trained with, painted surfaces only, so that all of it is this project's own.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from flows.training.camera.photograph import crops
from flows.training.material.fonts import faces
from flows.training.validation import TIERS, held_out
from stages.errors import MarkwatchError

COUNT = 300
"""Crops of a tier."""

SEED = 2026
"""Another one than those of training and validation."""


def render(material: Path, out: Path, count: int = COUNT) -> None:
    """Write `count` crops of each tier below `out`.

    Raises:
        ConfigError: the folder of material holds no faces.
    """
    # before anything is written over
    faces(material)
    for tier in TIERS:
        folder = out / tier.name
        folder.mkdir(parents=True, exist_ok=True)
        number = 0
        with (folder / "labels.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["file", "text"])
            for shots, texts in held_out(material, tier, count, SEED):
                for picture, text in zip(crops(shots), texts, strict=True):
                    name = f"{number:03}.png"
                    cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
                    writer.writerow([name, text])
                    number += 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.training.frozen", description=__doc__)
    parser.add_argument("material", type=Path, help="filled by flows.training.material.fetch")
    parser.add_argument("out", type=Path, help="folder to write, data/evaluation in a checkout")
    given = parser.parse_args(arguments)
    try:
        render(given.material, given.out)
    except MarkwatchError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
