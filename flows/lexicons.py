"""A lexicon's file: a CSV of known codes -> `Lexicon`, with its mistakes told by line."""

from __future__ import annotations

import csv
from pathlib import Path

from stages.errors import ConfigError
from stages.map import Lexicon, MapOptions
from stages.map.clean import cleaner


def read_lexicon(path: Path, column: str, options: MapOptions) -> Lexicon:
    """Read the codes of a CSV's column; empty cells are left out.

    Raises:
        ConfigError: the file cannot be read, has no such column or no code, or a code can never be
            read: strip or case changes it, or the format forbids it. One line, with the remedy.
    """
    clean = cleaner(options.strip, options.case)
    constraint = options.constraint
    codes: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if column not in (rows.fieldnames or ()):
                there = ", ".join(rows.fieldnames or ()) or "none"
                raise ConfigError(f"{path} has no column {column!r}; it has: {there}")
            for row in rows:
                code = (row[column] or "").strip()
                if not code:
                    continue
                if "".join(map(clean, code)) != code:
                    raise ConfigError(
                        f"{path}:{rows.line_num} {code!r} can never be read: strip or case "
                        "changes it; change either"
                    )
                if constraint is not None and not constraint.accepts(code):
                    raise ConfigError(
                        f"{path}:{rows.line_num} {code!r} does not fit the field's format; "
                        "change either"
                    )
                codes.append(code)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is no CSV in UTF-8: {error}") from error
    if not codes:
        raise ConfigError(f"{path} has no code in column {column!r}")
    return Lexicon.of(codes)
