"""Complaints about rows and pictures: the first in full, of the others the number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

SHOWN = 10
"""More would scroll away: a folder of pictures that was moved makes a complaint for each row."""


class Complaints:
    """Says complaints as they are found, and in `close` how many there were besides."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.count = 0

    def __call__(self, words: str) -> None:
        """Complain in one line."""
        self.count += 1
        if self.count <= SHOWN:
            self._say(words)

    def close(self) -> None:
        """Say how many were only counted, if any were."""
        if self.count > SHOWN:
            self._say(f"and {self.count - SHOWN} more like these, {self.count} in all")


def shortened(complaints: Sequence[str]) -> list[str]:
    """The lines that are said of these complaints."""
    said: list[str] = []
    told = Complaints(said.append)
    for words in complaints:
        told(words)
    told.close()
    return said
