"""Small files that ask for much: what they may cost, measured in a process of their own."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

SIDE = 3000
MOST_BYTES_A_PIXEL = 30
PROGRAM = """
import json, resource, sys
from made import image
from stages.decode import DecodeOptions, decode
from stages.errors import ImageError
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, words = peak(), None
try:
    decode(image(path=sys.argv[1]), DecodeOptions(max_megapixels=float(sys.argv[2])))
except ImageError as error:
    words = str(error)
print(json.dumps([peak() - before, words]))
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the peak is asked of POSIX")


def cost(path: Path, megapixels: float = 100) -> tuple[int, str | None]:
    """The memory that decoding took at most, in bytes, and why the file was refused."""
    root = Path(__file__).resolve().parents[2]
    program = f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'tests')!r}]\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-c", program, path, str(megapixels)],
        capture_output=True,
        text=True,
        check=True,
    )
    taken, words = json.loads(done.stdout)
    return taken, words


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A 1 x 1 PNG with these chunks before its pixels."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    every = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in every
    )


def directory(entries: int, claimed: int) -> bytes:
    """A TIFF whose entries all claim the same bytes."""
    size = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (278, 8), (279, 64)]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in size)
    table += b"".join(struct.pack("<HHII", 40000 + n, 1, claimed, 8) for n in range(entries))
    count = struct.pack("<H", len(size) + entries)
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + count + table + bytes(4 + claimed)


ZERO = zlib.compress(bytes(1_000_000))
ZEROS = zlib.compress(bytes(300_000_000), 9)
BOMBS = {
    "png text": png((b"zTXt", b"a\0\0" + ZEROS)),
    "png text, often": png(*[(b"zTXt", b"a%d\0\0" % n + ZERO) for n in range(400)]),
    "png profile": png((b"iCCP", b"a\0\0" + ZEROS)),
    "png exif": png((b"eXIf", directory(2000, 1_000_000))),
    "tiff directory": directory(2000, 1_000_000),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_decode_when_a_header_holds_a_bomb_then_it_costs_little(tmp_path, name):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name])
    taken, _ = cost(path)
    assert taken < 150e6, f"{taken / 1e6:.0f} MB for a file of {len(BOMBS[name]) / 1e6:.1f} MB"


KINDS = [("RGBA", "PNG"), ("F", "TIFF"), ("RGBA", "WEBP"), ("I;16", "PNG"), ("P", "PNG")]


@pytest.mark.parametrize(("mode", "kind"), KINDS)
def test_decode_when_a_file_is_all_pixels_then_each_costs_no_more_than_is_said(
    tmp_path, mode, kind
):
    options = {"compression": "tiff_adobe_deflate"} if kind == "TIFF" else {}
    buffer = io.BytesIO()
    Image.new(mode, (SIDE, SIDE)).save(buffer, kind, **options)
    path = tmp_path / "large"
    path.write_bytes(buffer.getvalue())
    taken, words = cost(path)
    assert words is None
    assert taken < MOST_BYTES_A_PIXEL * SIDE**2
    taken, words = cost(path, megapixels=8)
    assert words is not None and "too large" in words
    assert taken < 2 * SIDE**2, "it was judged by its header"
