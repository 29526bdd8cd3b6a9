"""Times and ranges of `seq` as a person types them on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flows.ledger.positions import Span
from stages.errors import ConfigError

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> datetime:
    """A time in UTC: `2026-11-20`, `2026-11-20T08:00`, with `Z` or an offset, or `90m` ago.

    Without an offset it is UTC, as in every row. Units of an age are s, m, h and d.

    Raises:
        ConfigError: it is none of these.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{text!r} is no time: write 2026-11-20, 2026-11-20T08:00Z, or an age such as 90m or 2d"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def span(text: str) -> Span:
    """The range (after, to] of `A-B` (both included) or of a single `A`.

    Raises:
        ConfigError: it is neither.
    """
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 < first <= last:
        raise ConfigError(f"{text!r} is no range of seq: write 120-340, or 120")
    return first - 1, last
