"""A model of a file system that forgets what was not fsynced, fed with what `shim.c` recorded.

A file's bytes are on disk when it was fsynced; until then each write may or may not be, sector by
sector. Names come in two worlds. `ordered`, as journals keep it: changes of names reach the disk in
their order, and any fsync takes all earlier ones along. `strict`, what POSIX promises: a name is on
disk when its folder was fsynced; until then each change may or may not be, in any order. In both a
rename is whole or did not happen. Not modelled: a disk that lies about a flush, bytes that rot, and
memory maps (SQLite's `-shm`, which a restart makes anew, is dropped).
Method: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SECTOR_BYTES = 512
_HEAD = struct.Struct("<ciqII")

World = Literal["ordered", "strict"]
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One recorded call; `first` and `second` are paths, or `first` is what was written."""

    what: str
    fd: int
    number: int
    first: bytes
    second: bytes


@dataclass(slots=True, eq=False)
class _File:
    """A file: its bytes on disk, and the writes since that may not be."""

    data: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    mtime_ns: int | None = None

    def sync(self) -> None:
        self.data = self.after(None)
        self.pending.clear()

    def after(self, chance: random.Random | None, keep: float = 1.0) -> bytearray:
        """The bytes after a cut: each pending sector is kept with this probability."""
        data = bytearray(self.data)
        for number, written in self.pending:
            if written is None:
                if chance is None or chance.random() < keep:
                    del data[number:]
                    data.extend(bytes(number - len(data)))
                continue
            at = 0
            while at < len(written):
                to = at + SECTOR_BYTES - (number + at) % SECTOR_BYTES
                if chance is None or chance.random() < keep:
                    piece = written[at:to]
                    data.extend(bytes(max(0, number + at - len(data))))
                    data[number + at : number + at + len(piece)] = piece
                at = to
        return data


class _Folder:
    """A folder; what is in it stands in the model's names."""


_Entry = _File | _Folder


@dataclass(slots=True)
class _Renaming:
    """A change of names that is whole or did not happen."""

    names: dict[Name, _Entry | None]

    @property
    def folders(self) -> set[str]:
        return {folder for folder, _ in self.names}


class Model:
    """The state of one tree, change by change."""

    def __init__(self, root: Path, tree: Path) -> None:
        """Begin with a copy `tree` of what lay at `root`, all of it on disk."""
        self._root = str(root)
        self._disk: dict[Name, _Entry] = {}
        self._waiting: list[_Renaming] = []
        self._open: dict[int, str | _File] = {}
        files: dict[int, _File] = {}
        for path in tree.rglob("*"):
            name = str((root / path.relative_to(tree)).parent), path.name
            found = path.stat()
            if path.is_dir():
                self._disk[name] = _Folder()
            elif found.st_ino in files:
                self._disk[name] = files[found.st_ino]
            else:
                files[found.st_ino] = _File(bytearray(path.read_bytes()), [], found.st_mtime_ns)
                self._disk[name] = files[found.st_ino]
        self._now = dict(self._disk)

    def apply(self, change: Change, world: World) -> None:
        """Take in the next change."""
        what, first, second = change.what, change.first, change.second
        if what == "o":
            self._opened(os.fsdecode(first), change.fd, change.number)
        elif what == "c":
            self._open.pop(change.fd, None)
        elif what in "wt":
            file = self._open[change.fd]
            assert isinstance(file, _File)
            file.pending.append((change.number, first if what == "w" else None))
            file.mtime_ns = None
        elif what == "s":
            self._synced(self._open[change.fd], world)
        elif what == "r":
            source, target = _name(first), _name(second)
            self._rename({target: self._now[source], source: None})
        elif what == "l":
            self._rename({_name(second): self._now[_name(first)]})
        elif what in "ud":
            self._rename({_name(first): None})
        elif what == "m":
            self._rename({_name(first): _Folder()})

    def _opened(self, path: str, fd: int, flags: int) -> None:
        name = _name(path.encode(errors="surrogateescape"))
        entry = self._now.get(name)
        if entry is None and path != self._root:
            entry = _File(bytearray())
            self._rename({name: entry})
        if isinstance(entry, _File):
            if flags & os.O_TRUNC:
                entry.pending.append((0, None))
            self._open[fd] = entry
        else:
            self._open[fd] = path

    def _rename(self, names: dict[Name, _Entry | None]) -> None:
        self._waiting.append(_Renaming(names))
        _put(self._now, names)

    def _synced(self, what: str | _File, world: World) -> None:
        if isinstance(what, _File):
            what.sync()
        kept = []
        for renaming in self._waiting:
            if world == "ordered" or (isinstance(what, str) and what in renaming.folders):
                _put(self._disk, renaming.names)
            else:
                kept.append(renaming)
        self._waiting = kept

    def cut(self, world: World, chance: random.Random) -> None:
        """Put the tree in its place as a power cut may leave it at this moment."""
        names = dict(self._disk)
        if world == "ordered":
            survivors = self._waiting[: chance.randint(0, len(self._waiting))]
        else:
            keep = chance.choice((0.0, 0.5, 1.0))
            survivors = [one for one in self._waiting if chance.random() < keep]
        for renaming in survivors:
            _put(names, renaming.names)
        keep = chance.choice((0.0, 0.5, 0.9, 1.0))
        self._write(names, lambda file: file.after(chance, keep))

    def bytes_now(self, path: Path) -> bytes:
        """What a file holds at this moment, on disk or not; nothing when it is not there."""
        entry = self._now.get(_name(os.fsencode(path)))
        return bytes(entry.after(None)) if isinstance(entry, _File) else b""

    def _write(self, names: dict[Name, _Entry], data: Callable[[_File], bytearray]) -> None:
        below: dict[str, list[tuple[str, _Entry]]] = {}
        for (parent, name), entry in names.items():
            below.setdefault(parent, []).append((name, entry))
        shutil.rmtree(self._root)
        made: dict[int, str] = {}
        folders = [self._root]
        while folders:
            folder = folders.pop()
            os.mkdir(folder)
            for name, entry in below.get(folder, ()):
                path = os.path.join(folder, name)
                if isinstance(entry, _Folder):
                    folders.append(path)
                elif id(entry) in made:
                    os.link(made[id(entry)], path)
                elif not name.endswith("-shm"):
                    Path(path).write_bytes(data(entry))
                    if entry.mtime_ns is not None:
                        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
                    made[id(entry)] = path


def recorded(path: Path) -> Iterator[Change]:
    """The changes that a shimmed process recorded."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        what, fd, number, first, second = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield Change(
            what.decode(),
            fd,
            number,
            data[at : at + first],
            data[at + first : at + first + second],
        )
        at += first + second


def _name(path: bytes) -> Name:
    folder, name = os.path.split(os.fsdecode(path))
    return folder, name


def _put(names: dict[Name, _Entry], changed: dict[Name, _Entry | None]) -> None:
    for name, entry in changed.items():
        if entry is None:
            names.pop(name, None)
        else:
            names[name] = entry
