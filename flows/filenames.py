"""Names made safe: to be shown, to be part of a file's name, to be a level of an MQTT topic.

Files, stations and cameras are named by people and machines. What another system would read as
structure (a slash, a wildcard, a control character) becomes `_`; letters of any script stay. Two
names that differ only in such characters meet; every row still carries its camera in full.
"""

from __future__ import annotations

import os
import re
import unicodedata
from functools import lru_cache

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
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in unicodedata.normalize("NFC", text)
    )
