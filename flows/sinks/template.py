"""Templates of what is said to devices and servers: `"{code}\\r\\n"`, with the fields of a row.

The notation is Python's format strings, without attributes, indices and conversions: a template
names fields of `flows/vocabulary.py` and can give them a format, as in `{seq:08d}`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

from flows import vocabulary

MOST_CHARACTERS = 1000
"""A slip of the finger in a width, `{seq:80000000000d}`, would take all memory."""

_FORMATTER = string.Formatter()


def checked(template: str) -> str:
    """The template itself.

    Raises:
        ValueError: it is no template, or names what is no field of a row.
    """
    try:
        fields = fields_of(template)
        _FORMATTER.vformat(template, (), {name: _Empty() for name in fields})
    except ValueError as error:
        raise ValueError(
            f"{template!r}: {error}; write braces that are meant as {{{{ }}}}"
        ) from error
    for name in fields:
        if name not in vocabulary.NAMES:
            raise ValueError(
                f"{template!r}: a row has no field {name!r}; those that fit are "
                f"{', '.join(vocabulary.NAMES)}"
            )
    return template


Template = Annotated[str, AfterValidator(checked)]
"""A format string whose fields are those of a row."""


@lru_cache
def fields_of(template: str) -> tuple[str, ...]:
    """The names of the fields in a template.

    Raises:
        ValueError: it is no format string, or uses more of the notation than it may.
    """
    names = []
    for _, name, form, conversion in _FORMATTER.parse(template):
        if name is None:
            continue
        if conversion or not name.isidentifier() or "{" in (form or ""):
            raise ValueError(f"{{{name}}} may only be the name of a field and its format")
        if any(int(number) > MOST_CHARACTERS for number in re.findall(r"\d+", form or "")):
            raise ValueError(f"{{{name}}} may be at most {MOST_CHARACTERS} characters wide")
        names.append(name)
    return tuple(names)


def fill(template: str, row: Mapping[str, Any]) -> str:
    """The template with a row's values; null is empty, times are RFC 3339 unless given a format.

    Raises:
        ValueError: a value does not take the format that the template gives it.
    """
    values = {name: _plain(row[name]) for name in fields_of(template)}
    return _FORMATTER.vformat(template, (), values)


def value_of(template: str, row: Mapping[str, Any]) -> Any:
    """As `fill`, but a template that is one field alone gives that field's own value."""
    fields = fields_of(template)
    if len(fields) == 1 and template == f"{{{fields[0]}}}":
        value = row[fields[0]]
        return vocabulary.instant(value) if isinstance(value, datetime) else value
    return fill(template, row)


class _Empty(str):
    """What stands for a value that is not there, whatever format it is given."""

    def __format__(self, form: str) -> str:
        return ""


class _Time(datetime):
    """A time that is RFC 3339 when no format is given."""

    def __format__(self, form: str) -> str:
        return super().__format__(form) if form else vocabulary.instant(self)


def _plain(value: Any) -> Any:
    if value is None:
        return _Empty()
    if isinstance(value, datetime):
        return _Time.fromtimestamp(value.timestamp(), value.tzinfo)
    if isinstance(value, (str, int, float)):
        return value
    return vocabulary.to_json(value)
