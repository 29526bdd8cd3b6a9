"""A lexicon's file: a CSV of known codes -> `Lexicon`, with its mistakes told by line."""

from __future__ import annotations

from pathlib import Path

from flows.configuration.spreadsheets import read_rows
from stages.errors import ConfigError
from stages.map import Lexicon, MapOptions
from stages.map.objections import objections


def read_lexicon(path: Path, column: str, options: MapOptions) -> Lexicon:
    """Read the codes of a CSV's column; empty cells are left out.

    Raises:
        ConfigError: the file cannot be read, has no such column or no code, or a code can never be
            read: strip or case changes it, or the format, a check digit or its date forbids it.
            One line, with the remedy.
    """
    name = column.strip().casefold()
    objection = objections(options)
    codes: list[str] = []
    for row in read_rows(path, (name,)):
        code = row.cells.get(name)
        place = f"{path}:{row.line}"
        if row.surplus:
            raise ConfigError(
                f"{place}: more cells than columns; put a code that holds the separator into quotes"
            )
        if not code:
            continue
        if words := objection(code):
            raise ConfigError(f"{place}: {code!r} {words}")
        codes.append(code)
    if not codes:
        raise ConfigError(f"{path} has no code in column {column!r}; write one in each line")
    return Lexicon.of(codes)
