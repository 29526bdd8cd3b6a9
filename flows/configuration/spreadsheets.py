"""A CSV as spreadsheets save it -> rows of named cells, each with the line where it begins.

Commas, semicolons (a German Excel) or tabs; UTF-8, or UTF-16 that begins with its byte order mark;
any line ends; columns named in any case, with spaces around them. A file that could be read in two
ways is refused, with what to do about it.
"""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.errors import ConfigError

SAVE_AS = "save it as `CSV UTF-8`"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .ods begin, and how .xls does."""
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its cells by column, without the spaces around them, and the line where it begins.

    A column for which the row has no cell is left out; `surplus` are the cells past the last one.
    """

    line: int
    cells: Mapping[str, str]
    surplus: tuple[str, ...]


def read_rows(path: Path, columns: Sequence[str]) -> tuple[Row, ...]:
    """Read the rows of a CSV whose first line names at least `columns`; empty rows are left out.

    Raises:
        ConfigError: it cannot be read, is no such CSV, or lacks a column. One line, with its place.
    """
    wanted = f"the first line must be {','.join(columns)}"
    text = _text(path, columns)
    if not text.strip():
        raise ConfigError(f"{path} is empty; {wanted}")
    for delimiter in _DELIMITERS:
        try:
            _, head = next(_lines(path, text, delimiter))
        except (ConfigError, StopIteration):
            # what is no CSV under one delimiter may be one under another
            continue
        names = [cell.casefold() for cell in head]
        if twice := [each for each in columns if names.count(each) > 1]:
            raise ConfigError(f"{path}:1: two columns are called {twice[0]}; rename one")
        if set(columns) <= set(names):
            _, *rows = _lines(path, text, delimiter)
            return tuple(_row(line, cells, names) for line, cells in rows if any(cells))
    first = text.strip().splitlines()[0]
    shown = first if len(first) <= _SHOWN else f"{first[:_SHOWN]}..."
    raise ConfigError(f"{path}:1: `{shown}` does not name the columns; {wanted}")


def _text(path: Path, columns: Sequence[str]) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"no such file: {path}; give a CSV with {','.join(columns)}") from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; give a CSV with {','.join(columns)}"
        ) from error
    if content.startswith(_WORKBOOKS):
        raise ConfigError(f"{path} is a workbook, not a CSV; {SAVE_AS}")
    wide = content.startswith((BOM_UTF16_BE, BOM_UTF16_LE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if wide:
            raise ConfigError(f"{path} is cut short or damaged; {SAVE_AS}") from error
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: this is not UTF-8; {SAVE_AS}") from error
    if "\0" in text:
        raise ConfigError(f"{path} is no text; {SAVE_AS}")
    return text


def _row(line: int, cells: Sequence[str], names: Sequence[str]) -> Row:
    return Row(line, dict(zip(names, cells, strict=False)), tuple(cells[len(names) :]))


def _lines(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that has any, with the line where it begins."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield begin, [cell.strip() for cell in cells]
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(
            f"{path}:{begin}: quotes are not in pairs ({error}); put the text into quotes, and "
            'double those within it: "3"" pipe"'
        ) from error


_SHOWN = 40
