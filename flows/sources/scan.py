"""The truth about an inbox: a scan keyed by path, never by inode, which file systems use again.

A full walk looks at every file. Between two of them a file that is new, or changed lately, is
looked at again after one interval, then two, four and so on, so that a settler soon has the two
scans it wants while a backlog of thousands costs almost nothing. Folders take turns, in a walk and
in looks, so that one camera's backlog does not hold up another's picture. Symbolic links are
refused. What cannot be read now is logged once and tried again with each walk.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

import structlog

from flows.files.filenames import printable
from flows.sources.looks import Looks
from flows.sources.names import Names
from stages.records import Arrival, Hint

TURN = 64
"""Files of one folder that are looked at before the next has its turn."""


@dataclass(slots=True)
class _Sight:
    """What is known of one file."""

    size: int
    mtime_ns: int
    walk: int
    """The last walk that found its name."""
    unchanged: int = 0
    unheard: bool = False
    """Events should have told of it, and have not so far."""


class Scan:
    """Finds the files in an inbox. Used by one thread; `clock` is monotonic seconds."""

    def __init__(
        self,
        names: Names,
        interval_seconds: float,
        rescan_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = names
        self._interval = interval_seconds
        self._rescan = rescan_seconds
        self._clock = clock
        self._sights: dict[str, _Sight] = {}
        self._looks = Looks()
        self._visited: dict[str, float] = {}
        self._walk = 0
        self._heard: Container[str] | None = None
        # What was logged so as to be logged once, and which of it the present walk met again.
        self.troubles: dict[str, str] = {}
        """Folders that cannot be read now, each with why."""
        self._links: set[str] = set()
        self._met: set[str] = set()
        self._log = structlog.get_logger("markwatch.sources.folder")
        self.unheard: set[str] = set()
        """Files that a walk found, and of which events had not told even one look later."""

    def walk(self, *, full: bool, heard: Container[str] | None = None) -> Iterator[Arrival]:
        """Walk the inbox, yielding `seen` for each file and `gone` for each that is no more.

        Without `full`, files that have long been the same are neither looked at nor yielded.
        With `heard`, the paths of which events told, a new file that is not among them is noted.
        """
        self._walk += 1
        self._heard = heard
        self._met.clear()
        unreadable: list[str] = []
        folders = [self._names.inbox]
        turns: deque[Iterator[str]] = deque()
        while folders or turns:
            if folders:
                # First in turn, so that what is found in it is told of before the rest is listed.
                turns.appendleft(iter(self._list(folders, unreadable, full=full)))
            turn = turns.popleft()
            paths = list(islice(turn, TURN))
            if len(paths) == TURN:
                turns.append(turn)
            for path in chain(paths, self._looks.due(self._clock(), TURN)):
                yield from self._look(path)
        if not full:
            yield from self.look()
        for path in [path for path, sight in self._sights.items() if sight.walk != self._walk]:
            # It may be back: events are told of while this walk waits for its reader.
            sight = self._sights.get(path)
            if sight and sight.walk != self._walk and not path.startswith(tuple(unreadable)):
                yield self._gone(path)
        self._links &= self._met
        for path in self.troubles.keys() - self._met:
            del self.troubles[path]
            if os.path.lexists(path):
                self._log.info("readable again", path=printable(path))

    def visit(self, folder: str) -> Iterator[Arrival]:
        """Look into a folder that just came, without waiting for a walk to get there."""
        if not self._names.leads_to_pictures(folder):
            return
        folders = [folder]
        while folders:
            for path in self._list(folders, [], full=False):
                yield from self._look(path)
                # A walk may come by a moment later, and a settler wants two looks apart.
                self._visited[path] = self._clock() + self._interval

    def _list(self, folders: list[str], unreadable: list[str], *, full: bool) -> list[str]:
        """List the last of `folders`: the files to look at; its subfolders are added."""
        folder = folders.pop()
        found = []
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            unreadable.append(os.path.join(folder, ""))
            self._trouble(folder, error)
            return []
        for entry in entries:
            sight = self._sights.get(entry.path)
            kind = "known" if sight else self._kind(entry)
            if sight:
                sight.walk = self._walk
            if kind == "folder":
                folders.append(entry.path)
            elif kind == "file" or (kind == "known" and full):
                found.append(entry.path)
        return found

    def look(self) -> Iterator[Arrival]:
        """Look again at the files whose next look is due, yielding each as `seen` or `gone`."""
        now = self._clock()
        while paths := self._looks.due(now, TURN):
            for path in paths:
                yield from self._look(path)

    def told(self, path: str, hint: Hint) -> Arrival | None:
        """What a file is now that an event told of it; None when that cannot be said now."""
        try:
            found = self._stat(path)
        except OSError as error:
            self._trouble(os.path.dirname(path), error)
            return None
        if found is None:
            if not os.path.lexists(path):
                return self._gone(path)
            if os.path.islink(path):
                self._refuse(path)
            return None
        self.unheard.discard(path)
        sight = self._sights.get(path)
        if sight is not None:
            sight.size, sight.mtime_ns = found.st_size, found.st_mtime_ns
            sight.walk, sight.unchanged, sight.unheard = self._walk, 0, False
            if hint in ("closed", "renamed"):
                self._looks.drop(path)
            else:
                self._looks.plan(path, self._clock() + self._interval)
        # The name may be in use again since an event told that it was gone.
        return self._arrival(path, found, "changed" if hint == "gone" else hint)

    def look_anew(self) -> None:
        """Look soon again at every file: what was known of them is from before an outage."""
        for path, sight in self._sights.items():
            sight.unchanged = 0
            self._looks.plan(path, self._clock() + self._interval)

    def __len__(self) -> int:
        """How many files were there when last looked for."""
        return len(self._sights)

    def knows(self, path: str) -> bool:
        """Whether the file was there when last looked for."""
        return path in self._sights

    def expect(self, path: str) -> None:
        """Look at a file of which only an event told, where no event will tell that it is whole."""
        if path not in self._sights:
            self._sights[path] = _Sight(-1, -1, self._walk)
            self._looks.plan(path, self._clock() + self._interval)

    def _kind(self, entry: os.DirEntry[str]) -> Literal["folder", "file"] | None:
        if self._names.ignores(entry.name):
            return None
        try:
            # A junction is Windows' link to a folder; Python can tell it from one since 3.12.
            if entry.is_symlink() or getattr(entry, "is_junction", bool)():
                self._refuse(entry.path)
                return None
            if entry.is_dir(follow_symlinks=False):
                return "folder"
        except OSError as error:
            self._trouble(os.path.dirname(entry.path), error)
            return None
        return "file" if self._names.is_picture(entry.name) else None

    def _look(self, path: str) -> Iterator[Arrival]:
        sight = self._sights.get(path)
        now = self._clock()
        if now < self._visited.get(path, now):
            return
        self._visited.pop(path, None)
        try:
            found = self._stat(path)
        except OSError as error:
            self._trouble(os.path.dirname(path), error)
            if sight is not None:
                self._looks.plan(path, now + self._interval)
            return
        if found is None:
            if sight is not None:
                yield self._gone(path)
            return
        look_at: float | None = now + self._interval
        if sight is None:
            sight = _Sight(found.st_size, found.st_mtime_ns, self._walk)
            sight.unheard = self._heard is not None and path not in self._heard
            self._sights[path] = sight
        elif (sight.size, sight.mtime_ns) == (found.st_size, found.st_mtime_ns):
            sight.unchanged += 1
            wait = self._interval * 2.0 ** min(sight.unchanged, 60)
            look_at = now + wait if wait <= self._rescan else None
            if sight.unheard:
                self.unheard.add(path)
                sight.unheard = False
        else:
            sight.size, sight.mtime_ns = found.st_size, found.st_mtime_ns
            sight.unchanged = 0
        if look_at is None:
            self._looks.drop(path)
        else:
            self._looks.plan(path, look_at)
        yield self._arrival(path, found, "seen")

    def _stat(self, path: str) -> os.stat_result | None:
        """The regular file at `path`; None where there is none."""
        # Not the directory entry's own stat, which Windows takes from a listing that lags behind.
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _arrival(self, path: str, found: os.stat_result, hint: Hint) -> Arrival:
        camera = self._names.camera(path)
        return Arrival(path, camera, found.st_size, found.st_mtime_ns, hint)

    def _gone(self, path: str) -> Arrival:
        self._sights.pop(path, None)
        self._looks.drop(path)
        self._visited.pop(path, None)
        self.unheard.discard(path)
        return Arrival(path, self._names.camera(path), 0, 0, "gone")

    def _trouble(self, folder: str, error: OSError) -> None:
        text = error.strerror or str(error)
        self._met.add(folder)
        if self.troubles.get(folder) != text:
            self.troubles[folder] = text
            self._log.warning("cannot read, will try again", path=printable(folder), error=text)

    def _refuse(self, path: str) -> None:
        self._met.add(path)
        if path not in self._links:
            self._links.add(path)
            self._log.warning("symbolic link refused; copy or move pictures", path=printable(path))
