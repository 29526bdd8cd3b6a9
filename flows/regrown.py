"""Whether a picture is still the one that was claimed: its writer may hold it open yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import structlog

from flows.endings import looks_complete
from flows.files.digest import digest_of
from stages.records import ImageRef


def look_again(image: ImageRef) -> ImageRef:
    """The picture as it is now; as it was, where that cannot be said."""
    path = Path(image.path)
    try:
        digest = digest_of(path)
        return replace(image, sha256=digest, size=path.stat().st_size)
    except OSError as error:
        log = structlog.get_logger("markwatch.dispatch")
        log.warning("cannot read again", image=image.name, error=str(error))
        return image


def may_grow(image: ImageRef, now: datetime, settle_seconds: float) -> bool:
    """Whether a picture that failed may be half of one: its writer began anew at the claim."""
    path = Path(image.path)
    try:
        age = now.timestamp() - path.stat().st_mtime
        return age < settle_seconds and looks_complete(path) is False
    except OSError:
        return False
