"""Pictures that are read alone: which one is next, and who is let go when the guilty one is known.

When a process dies, whatever was in it is suspect. Only a picture that was read alone in a process
that died is guilty of that; then the others of its first process are innocent, and go back to the
line, each of them once: a second time it proves itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from flows.chunks import Waiting


class Suspects:
    """Pictures that wait to be read alone. Used by one thread."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, pictures: Iterable[Waiting]) -> None:
        """Take these in."""
        self._waiting.extend(pictures)

    def next(self) -> Waiting:
        """The one to be read now, which stays until it is removed.

        One with fewer attempts behind it is likelier to be sound, and soon done.

        Raises:
            ValueError: there is none.
        """
        return min(self._waiting, key=lambda one: one.attempts)

    def remove(self, pictures: Iterable[Waiting]) -> None:
        """These are no longer to be read alone."""
        gone = {one.image.id for one in pictures}
        self._waiting = [one for one in self._waiting if one.image.id not in gone]

    def beside(self, guilty: Waiting) -> list[Waiting]:
        """Those whose only reproach is the death of a process that held the guilty one too."""
        if guilty.beside is None:
            return []
        return [one for one in self._waiting if one.beside == guilty.beside]
