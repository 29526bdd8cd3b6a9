"""Whether the end of a picture file has been written: a look at a few bytes, never a decode.

The content says what format it is, not the name. A wrong "not yet" only costs a wait for the long
quiet; a wrong "complete" costs a picture that is read half, so every doubt says "not yet". Zeros at
the end are such a doubt: many writers lay a file out at its full size before they fill it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 16
PADDING_BYTES = 512
"""How many zeros or blanks a camera may append to fill a sector."""

ZERO_BYTES = 64
CLOSED_ZERO_BYTES = 4096
"""So many zero bytes at the end of raw pixels look like a file that is not filled yet: few of them
while its writer may still be in the last block, many once it closed the file, because the edges of
a picture may well be black."""

SEGMENTS = 4096
PAGES = 10_000
TABLE_BYTES = 4 << 20
"""Bounds on what a hostile file can make this module read."""

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_TYPE_BYTES = _TYPE_BYTES | {16: 8, 17: 8, 18: 8}
_UNSIGNED = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_DATA_TAGS = {273: 279, 324: 325, 513: 514}
"""Strip, tile and JPEG offsets, each with the tag of the matching byte counts (TIFF 6.0)."""


def looks_complete(path: str | os.PathLike[str], *, closed: bool = False) -> bool | None:
    """Whether the file ends as its format says it must; None for a format that is not known here.

    `closed` says that its writer was seen to close it. Knows JPEG, PNG, BMP, RIFF (WebP) and TIFF
    with BigTIFF.

    Raises:
        OSError: the file cannot be opened or read now.
    """
    zeros = CLOSED_ZERO_BYTES if closed else ZERO_BYTES
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES or not any(head):
            return False
        if head.startswith(b"\xff\xd8\xff"):
            return _jpeg(file, size)
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return _tail(file, size).endswith(b"\0\0\0\0IEND\xaeB\x60\x82")
        if head.startswith(b"BM"):
            return _bmp(file, size, head, zeros)
        if head.startswith(b"RIFF"):
            return _riff(file, size, head)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(file, size, head, zeros)
        return None


def _tail(file: BinaryIO, size: int) -> bytes:
    """The last bytes of the file, without a little padding."""
    file.seek(max(0, size - 2 * PADDING_BYTES))
    tail = file.read(2 * PADDING_BYTES)
    bare = tail.rstrip(b"\0 \t\r\n")
    return bare if len(tail) - len(bare) <= PADDING_BYTES else b""


def _jpeg(file: BinaryIO, size: int) -> bool:
    # A preview inside the header has an end mark of its own, so only one after the start of the
    # scan (SOS) counts; in the scan's coded data the mark cannot occur (ITU-T T.81, B.1.1.5).
    position = 2
    for _ in range(SEGMENTS):
        file.seek(position)
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF:
            return False
        if marker[1] == 0xFF:
            position += 1
        elif marker[1] == 0xDA:
            return position + 4 < size and _tail(file, size).endswith(b"\xff\xd9")
        elif 0xD0 <= marker[1] <= 0xD7 or marker[1] == 0x01:
            position += 2
        else:
            position += 2 + int.from_bytes(marker[2:4], "big")
    return False


def _bmp(file: BinaryIO, size: int, head: bytes, zeros: int) -> bool:
    stated, _, pixels = struct.unpack_from("<III", head, 2)
    return stated == size and pixels < size and not _ends_in_zeros(file, size, pixels, zeros)


def _riff(file: BinaryIO, size: int, head: bytes) -> bool:
    stated = int.from_bytes(head[4:8], "little")
    whole = size == 8 + stated + stated % 2
    return whole and not _ends_in_zeros(file, size, HEAD_BYTES, ZERO_BYTES)


def _ends_in_zeros(file: BinaryIO, size: int, start: int, length: int) -> bool:
    """Whether the last `length` bytes of what begins at `start` are all zero."""
    file.seek(max(start, size - length))
    return not any(file.read(length))


def _tiff(file: BinaryIO, size: int, head: bytes, zeros: int) -> bool:
    try:
        if not _Tiff(file, size, head).complete():
            return False
        return not _ends_in_zeros(file, size, HEAD_BYTES, zeros)
    except _NotYetError:
        return False


class _NotYetError(Exception):
    """Something that the file points to lies beyond its end, or beyond what is looked at."""


class _Tiff:
    """Walks the directories of a TIFF (TIFF 6.0, section 2) or BigTIFF."""

    def __init__(self, file: BinaryIO, size: int, head: bytes) -> None:
        self._file = file
        self._size = size
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = 43 in head[2:4]
        self._first = self._number(head[8:16] if self._big else head[4:8])
        self._left = TABLE_BYTES

    def complete(self) -> bool:
        """Whether every page's data lies within the file, and there is a page at all."""
        offset, seen, found = self._first, set(), False
        while offset:
            if offset in seen or len(seen) == PAGES:
                raise _NotYetError
            seen.add(offset)
            offset, has_data = self._page(offset)
            found = found or has_data
        return found

    def _page(self, offset: int) -> tuple[int, bool]:
        """Look at one directory: where the next one is, and whether this one has pixel data."""
        width, per_entry, inline = (8, 20, 8) if self._big else (2, 12, 4)
        count = self._number(self._read(offset, width))
        table = self._read(offset + width, count * per_entry)
        following = self._number(self._read(offset + width + len(table), inline))
        wanted: dict[int, list[int]] = {}
        for start in range(0, len(table), per_entry):
            entry = table[start : start + per_entry]
            tag, kind = struct.unpack_from(self._order + "HH", entry)
            number = self._number(entry[4 : 4 + inline])
            value = entry[4 + inline :]
            length = number * (_BIG_TYPE_BYTES if self._big else _TYPE_BYTES).get(kind, 0)
            if length > inline:
                at = self._number(value)
                if at + length > self._size:
                    raise _NotYetError
            if tag in _DATA_TAGS or tag in _DATA_TAGS.values():
                raw = self._read(at, length) if length > inline else value[:length]
                form = _UNSIGNED.get(kind) if length else None
                wanted[tag] = (
                    list(struct.unpack(f"{self._order}{number}{form}", raw)) if form else []
                )
        return following, self._within(wanted)

    def _within(self, wanted: dict[int, list[int]]) -> bool:
        found = False
        for tag, lengths_tag in _DATA_TAGS.items():
            offsets, lengths = wanted.get(tag, []), wanted.get(lengths_tag, [])
            if len(offsets) != len(lengths):
                raise _NotYetError
            for offset, length in zip(offsets, lengths, strict=True):
                if offset + length > self._size:
                    raise _NotYetError
                found = found or length > 0
        return found

    def _read(self, offset: int, length: int) -> bytes:
        self._left -= length
        if self._left < 0 or offset + length > self._size:
            raise _NotYetError
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) < length:
            raise _NotYetError
        return data

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self._order == "<" else "big")
