"""Labelled pictures: a CSV with the columns `file` and `text`, files named relative to it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stages.errors import ConfigError

COLUMNS = ("file", "text")


@dataclass(frozen=True, slots=True)
class Label:
    """A picture and what is to be read in it; an empty text means nothing. `file` as written."""

    file: str
    path: Path
    text: str


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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(
                    f"{path}: no column {' and no column '.join(missing)}; "
                    f"the first line must be {','.join(COLUMNS)}"
                )
            rows = [_label(row, path, reader.line_num) for row in reader]
    except FileNotFoundError as error:
        raise ConfigError(f"no such file: {path}; give a CSV with {','.join(COLUMNS)}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is no CSV in UTF-8: {error}") from error
    labels = tuple(row for row in rows if isinstance(row, Label))
    complaints = tuple(row for row in rows if isinstance(row, str))
    if not labels:
        raise ConfigError(
            "\n".join([*complaints, f"{path} names no picture; write a row for each: file,text"])
        )
    name = path.resolve().parent.name if path.stem == "labels" else path.stem
    return LabelSet(name or path.stem, labels, complaints)


def _label(row: Mapping[str | None, str | None], path: Path, line: int) -> Label | str:
    file, text = (row[name] for name in COLUMNS)
    if not file:
        return f"{path}:{line}: no file is named; write file,text"
    if text is None:
        return (
            f"{path}:{line}: no text; write file,text (an empty text where nothing is to be read)"
        )
    if None in row:
        return f'{path}:{line}: too many columns; put a text with a comma into quotes: {file},"..."'
    picture = path.parent / file
    if not picture.is_file():
        return f"{path}:{line}: no such picture: {picture}; files are named relative to the CSV"
    return Label(file, picture, text.strip())


def limited(sets: Sequence[LabelSet], most: int | None) -> Iterator[LabelSet]:
    """The sets with at most `most` labels each, the first ones; all of them for None."""
    for each in sets:
        yield replace(each, labels=each.labels[:most])
