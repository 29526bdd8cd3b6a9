"""The file beside a picture that names the code expected on the part: `part.png.expected`.

Its first line is the code, in UTF-8. It must be there before the picture is (a camera that renames
the picture in last does that); it is read at the claim, kept with it in the ledger, and removed. A
crash just between leaves it: removed later, it might be the next part's, whose check would be lost.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog

SUFFIX = ".expected"
_MOST_BYTES = 1024

_log = structlog.get_logger("markwatch.intake")


def expected_of(picture: str | Path) -> str | None:
    """The code that the file beside a picture names; None without one, or with an empty one."""
    path = f"{os.fspath(picture)}{SUFFIX}"
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("cannot read the expected code", path=path, error=error.strerror)
        return None
    # bytes that are no UTF-8 match no code, so the part is not passed unseen
    lines = content.decode("utf-8-sig", "replace").strip().splitlines()
    return lines[0].strip() or None if lines else None


def remove_sidecar(picture: str | Path, expected: str | None) -> None:
    """Remove the file beside a picture once its code is kept; one that says another stays."""
    path = f"{os.fspath(picture)}{SUFFIX}"
    if expected is None or expected_of(picture) != expected:
        return
    try:
        os.unlink(path)
    except OSError as error:
        _log.warning("cannot remove the expected code", path=path, error=error.strerror)
