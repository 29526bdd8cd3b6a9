"""The primary host application: whether it is there, by what it says of itself.

Source: Eclipse Sparkplug 3.0.0, 5.4 (`...-phid-wait-online`, `...-phid-wait-timestamp`) and 5.5
(`...-termination-host-offline`, `...-termination-host-offline-timestamp`).
"""

from __future__ import annotations

import json
import math


class PrimaryHost:
    """A host application's state, as heard from its STATE messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_online = False
        self._newest = -math.inf

    def forget(self) -> None:
        """A new session: what counts is what the broker says now, if it is not older."""
        self.is_online = False

    def hear(self, content: bytes) -> bool:
        """Take in a STATE message; returns whether it was one, and not older than the last."""
        try:
            told = json.loads(content)
            online, timestamp = told["online"], told["timestamp"]
        except (ValueError, KeyError, TypeError):
            return False
        if not isinstance(online, bool) or not isinstance(timestamp, int | float):
            return False
        # A NaN is never at least as new, so it is refused too.
        if not timestamp >= self._newest:
            return False
        self._newest = timestamp
        self.is_online = online
        return True
