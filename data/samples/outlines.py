"""Makes outlines.csv: where the text of each sample stands, as four corners in pixels.

    python data/samples/outlines.py [--out DIR]

The marks alone are laid into the picture by the camera of `scene`. A row for each line of text,
codes and others; its smallest rectangle, clockwise from the text's top left.
"""

from __future__ import annotations

import argparse
import csv
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import cv2
import make
import numpy as np
from scene import Shape, Surface, lay, window

TYPEFACES = ("dotted", "printed", "segmented", "stroked")
_INKED = 0.4
"""Of the strongest: less is glow or blur."""


def outlines(sample: make.Sample) -> Iterator[tuple[str, np.ndarray]]:
    """Each text of a sample, the code last, and its (4, 2) corners."""
    width, height = sample.size
    shape = (int(height * 1.25), int(width * 1.25))
    part, marks = _marked(sample, shape)
    for text, mark, x, y in marks:
        seen = np.zeros((*shape, 3))
        seen[window(part, mark, x, y)] = (mark > _INKED * mark.max())[..., None] * 1000.0
        flat = np.zeros(shape)
        rng = np.random.default_rng(0)
        laid, _ = lay(rng, Surface(seen, flat, flat, part.alpha), sample.size, sample.shot)
        across, down = np.nonzero(np.rot90(laid.albedo[..., 0] > 500, sample.shot.turn))[::-1]
        points = np.column_stack([across, down]).astype(np.float32)
        corners = cv2.boxPoints(cv2.minAreaRect(np.concatenate([points, points + 1])))
        yield text, _from_top_left(corners, sample.shot.angle - 90 * sample.shot.turn)


def _marked(
    sample: make.Sample, shape: Shape
) -> tuple[Surface, list[tuple[str, np.ndarray, float, float]]]:
    """The part, and the text, cover and place of each line on it, the code last."""
    drawn: list[tuple[str, np.ndarray]] = []
    placed: list[tuple[np.ndarray, float, float]] = []

    def drawing(name: str):
        draw = getattr(make, name)

        def call(*arguments, **options):
            mark = draw(*arguments, **options)
            drawn.append((next(each for each in arguments if isinstance(each, str)), mark))
            return mark

        return call

    def laying(name: str):
        put = getattr(make, name)

        def call(part, mark, *arguments, x=0, y=0, **options):
            placed.append((mark, x, y))
            return put(part, mark, *arguments, x=x, y=y, **options)

        return call

    spies = {name: drawing(name) for name in TYPEFACES}
    spies |= {name: laying(name) for name in ("ink", "relief")}
    with patch.multiple(make, **spies):
        rng = np.random.default_rng(zlib.crc32(sample.file.encode()))
        part = sample.part(rng, shape, sample.text, **sample.options)
    others = [
        (text, *each)
        for text, mark in drawn
        for each in placed
        if each[0] is mark and text != sample.text
    ]
    return part, [*others, (sample.text, *placed[-1])]


def _from_top_left(corners: np.ndarray, degrees: float) -> np.ndarray:
    """The corners clockwise from the text's own top left, for text turned clockwise so far."""
    along = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    centred = corners - corners.mean(axis=0)
    if cv2.contourArea(corners, oriented=True) < 0:
        corners, centred = corners[::-1], centred[::-1]
    down = np.array([-along[1], along[0]])
    return np.roll(corners, -int(np.argmin(centred @ (along + down))), axis=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    with open(parser.parse_args().out / "outlines.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "text", "outline"))
        for sample in make.SAMPLES:
            for text, corners in outlines(sample):
                rows.writerow(
                    (sample.file, text, json.dumps(corners.astype(float).round(1).tolist()))
                )
