"""Names made safe: to be shown, to be part of a file's name, to be a level of an MQTT topic.

Files, stations and cameras are named by people and machines. What another system would read as
structure (a slash, a wildcard, a control character) becomes `_`; letters of any script stay. Two
names that differ only in such characters meet; every row still carries its camera in full.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_NOT_IN_FILES = re.compile(r"[^\w.-]")
_NOT_IN_LEVELS = re.compile(r"[+#/\x00-\x1f\x7f-\x9f]")


def for_file(text: str) -> str:
    """A part of a file's name on every platform: letters, digits, `_`, `-`, inner dots."""
    return _NOT_IN_FILES.sub("_", text).strip(".")[:80] or "_"


def for_topic(text: str) -> str:
    """One level of a topic: no `/`, `+`, `#` or control character, never empty.

    Source: MQTT 5.0, 4.7 Topic Names and Topic Filters, and 1.5.4 UTF-8 Encoded String.
    """
    return _NOT_IN_LEVELS.sub("_", text) or "_"


@lru_cache(maxsize=1024)
def printable(name: str) -> str:
    """A name as text that can be shown: NFC, undecodable bytes and control characters escaped."""
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # Not a file's name: a surrogate that stands for no byte.
        text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in unicodedata.normalize("NFC", text)
    )


def shown(value: Any) -> Any:
    """A value whose every text is `printable`, line by line; what JSON has not becomes text."""
    if isinstance(value, str):
        return "\n".join(printable(line) for line in value.split("\n"))
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else shown(str(value))
