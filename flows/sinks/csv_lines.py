"""One row as one line of a CSV: RFC 4180, text quoted, null empty, lists and maps as JSON.

Control characters are written as escapes (`\\n`), so a row is one line. Text that a spreadsheet
would run as a formula, and text that begins with an apostrophe, gets an apostrophe in front.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from flows import vocabulary

_END = "\r\n"
# What would end a line for some reader: C0, DEL, C1 and the Unicode separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# OWASP, "CSV Injection", with the full-width forms that spreadsheets fold to ASCII.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20'")


def header_line() -> bytes:
    """The names of the columns."""
    return _line(_quoted(name) for name in vocabulary.NAMES)


def row_line(row: vocabulary.Row, neutralise: bool) -> bytes:
    """One row, its end of line included."""
    return _line(
        _CELLS[field.kind](row[field.name], neutralise) if row[field.name] is not None else ""
        for field in vocabulary.FIELDS
    )


def _line(cells: Iterable[str]) -> bytes:
    return (",".join(cells) + _END).encode()


def _text(value: str, neutralise: bool) -> str:
    if neutralise and value.lstrip().startswith(_FORMULA):
        value = "'" + value
    return _quoted(_CONTROL.sub(_escape, value))


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _json(value: Any, neutralise: bool) -> str:
    return _text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), neutralise=False)


_CELLS: dict[str, Callable[[Any, bool], str]] = {
    "text": _text,
    "status": _text,
    "integer": lambda value, _: str(value),
    "number": lambda value, _: repr(float(value)),
    "boolean": lambda value, _: "true" if value else "false",
    "time": lambda value, _: vocabulary.instant(value),
    "box": _json,
    "outline": _json,
    "characters": _json,
    "timings": _json,
}
