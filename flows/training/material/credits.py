"""Who made what a checkpoint was trained on: families, packages and licences, as a CSV."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from flows.training.material.families import Kind
from flows.training.material.fetch import TEXTURE, manifest
from flows.training.material.fonts import HELD_OUT, faces

FILE = "material.csv"
COLUMNS = ("kind", "family", "licence", "source", "files", "use")


def write_credits(material: Path, folder: Path) -> None:
    """Write `material.csv` into `folder`: a row for each family or package of training material.

    `use` is `trained`, or `held out` for the typefaces of the evaluation set.

    Raises:
        ConfigError: the folder of material holds no faces.
    """
    found = faces(material)
    # bitmap faces are drawn only where they are asked for, and training does not ask
    known = {
        face.family
        for face in (*found.training.faces, *found.held_out.faces)
        if face.kind != Kind.BITMAP
    }
    files = Counter(
        (piece.kind, piece.family, piece.licence, piece.source)
        for piece in manifest(material)
        if piece.kind == TEXTURE or piece.family in known
    )
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (kind, family, licence, source), count in sorted(files.items()):
            use = "held out" if family in HELD_OUT else "trained"
            writer.writerow([kind, family, licence, source, count, use])
