"""Tiny pictures by the thousand, each with bytes of its own: food for the null recogniser."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 16, 8
SITE = """
intake: {quiet_seconds: 0.05, settle_seconds: 12}
cluster: {scheduler: threads, threads: 2}
recogniser: {use: scripted}
sources: {folder: {poll_seconds: 0.1}}
sinks:
  parquet: {max_seconds: 0.2}
  mqtt: null
"""
"""Nothing between a picture and the ledger but the walk itself; a gate replaces what it wants."""

RECIPE = "fields: [{detect: {use: everything}}]\n"
QUIET_LEVEL = 100
"""A first pixel at which the null recogniser only reads."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A picture that was put into an inbox: its name, and its SHA-256, which no other has."""

    name: str
    sha256: str


def content(number: int, level: int = QUIET_LEVEL) -> bytes:
    """A grey PNG that holds `number` in its pixels; `level` is its first pixel."""
    pixels = bytearray(b"\x80" * (WIDTH * HEIGHT))
    pixels[0] = level
    pixels[1:9] = struct.pack(">Q", number)
    pixels[-1] = 255
    rows = b"".join(b"\0" + pixels[start : start + WIDTH] for start in range(0, len(pixels), WIDTH))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def drop(
    folder: Path, number: int, *, name: str | None = None, level: int | None = None
) -> Dropped:
    """Write a picture into a camera's folder as careful software does: aside, then renamed."""
    data = content(number, QUIET_LEVEL + number % 100 if level is None else level)
    name = name or f"{number:06d}.png"
    partial = folder / f"{name}.part"
    partial.write_bytes(data)
    partial.rename(folder / name)
    return Dropped(name, hashlib.sha256(data).hexdigest())
