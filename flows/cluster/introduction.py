"""What a Dask worker says of itself. Run there, so it imports next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Introduction:
    """The release that a worker runs, and what the file says that it was shown, if it sees it."""

    version: str
    sign: str | None


def introduce(sign: str | None) -> Introduction:
    """Say who this is; `sign` is the path of a file that the station wrote."""
    try:
        read = Path(sign).read_text(encoding="ascii") if sign else None
    except (OSError, UnicodeDecodeError):
        read = None
    return Introduction(version("markwatch"), read)
