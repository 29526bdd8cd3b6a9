"""Labelled pictures: a CSV with the columns `file` and `text`, files named relative to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows.configuration.spreadsheets import Row, read_rows
from flows.evaluation.complaints import shortened
from stages.errors import ConfigError

COLUMNS = ("file", "text")


@dataclass(frozen=True, slots=True)
class Label:
    """A picture and what is to be read in it; an empty text means nothing.

    `file` as written, and `place` where: `my/labels.csv:17`. `field` is the recipe's field that is
    to read it, where the CSV has such a column.
    """

    file: str
    path: Path
    text: str
    place: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of one CSV, and a complaint for each of its rows that is none."""

    name: str
    labels: tuple[Label, ...]
    complaints: tuple[str, ...] = ()


def read_sets(paths: Sequence[Path]) -> tuple[LabelSet, ...]:
    """Read label files; a set is named after its folder (`labels.csv`) or its file.

    Raises:
        ConfigError: a file is missing, is no such CSV, or has not one usable row.
    """
    sets = [_read(path) for path in paths]
    uses = Counter(each.name for each in sets)
    return tuple(
        each if uses[each.name] == 1 else replace(each, name=path.as_posix())
        for each, path in zip(sets, paths, strict=True)
    )


def _read(path: Path) -> LabelSet:
    rows = [_label(row, path) for row in read_rows(path, COLUMNS)]
    labels = tuple(row for row in rows if isinstance(row, Label))
    complaints = tuple(row for row in rows if isinstance(row, str))
    if not labels:
        remedy = "mend the lines above" if complaints else "write a row for each picture: file,text"
        lines = [*shortened(complaints), f"{path} has no row that can be used; {remedy}"]
        raise ConfigError("\n".join(lines))
    name = path.resolve().parent.name if path.stem == "labels" else path.stem
    return LabelSet(name or path.stem, labels, complaints)


def _label(row: Row, path: Path) -> Label | str:
    place = f"{path}:{row.line}"
    file, text = (row.cells.get(name) for name in COLUMNS)
    if not file:
        return f"{place}: no file is named; write file,text"
    if text is None:
        return f"{place}: no text; write file,text (an empty text where nothing is to be read)"
    if row.surplus:
        return (
            f"{place}: more cells than columns; put a text that holds the separator into quotes: "
            f'{file},"..."'
        )
    picture = path.parent / file
    if not picture.is_file():
        # as a Windows machine writes it
        other = path.parent / file.replace("\\", "/")
        if not other.is_file():
            return f"{place}: no such picture: {picture}; files are named relative to the CSV"
        picture = other
    return Label(file, picture, text, place, row.cells.get("field") or None)


def limited(sets: Sequence[LabelSet], most: int | None) -> Iterator[LabelSet]:
    """The sets with at most `most` labels each, the first ones; all of them for None."""
    for each in sets:
        yield replace(each, labels=each.labels[:most])
