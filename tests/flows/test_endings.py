"""End-of-file checks: whole pictures of each kind, every way of cutting them, hostile files."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from flows.endings import PADDING_BYTES, looks_complete

ENCODINGS: dict[str, dict[str, object]] = {
    "jpeg": {"format": "JPEG"},
    "jpeg-progressive": {"format": "JPEG", "progressive": True, "optimize": True},
    "png": {"format": "PNG"},
    "bmp": {"format": "BMP"},
    "webp": {"format": "WEBP"},
    "webp-lossless": {"format": "WEBP", "lossless": True},
    "tiff": {"format": "TIFF"},
    "tiff-lzw": {"format": "TIFF", "compression": "tiff_lzw"},
    "tiff-jpeg": {"format": "TIFF", "compression": "jpeg"},
    "tiff-big": {"format": "TIFF", "big_tiff": True},
}


def picture(seed: int, width: int = 24, height: int = 17) -> Image.Image:
    """A picture without black, from a small congruential generator."""
    pixels = bytearray()
    for _ in range(width * height * 3):
        seed = (seed * 1_103_515_245 + 12_345) % 2**31
        pixels.append(1 + (seed >> 16) % 255)
    return Image.frombytes("RGB", (width, height), bytes(pixels))


def encoded(name: str, image: Image.Image, **more: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **ENCODINGS[name], **more)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endings") / "file"


def judged(path: Path, data: bytes) -> bool | None:
    path.write_bytes(data)
    return looks_complete(path)


@pytest.mark.parametrize("name", ENCODINGS)
@given(
    seed=st.integers(0, 2**31 - 1),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    cut=st.floats(0, 1, exclude_max=True),
    lost=st.integers(1, 40),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_looks_complete_when_a_picture_is_cut_anywhere_then_it_is_never_complete(
    path: Path, name: str, seed: int, width: int, height: int, cut: float, lost: int
) -> None:
    data = encoded(name, picture(seed, width, height))
    assert judged(path, data) is True
    assert judged(path, data[: int(cut * len(data))]) is False
    assert judged(path, data[: -min(lost, len(data))]) is False


@pytest.mark.parametrize("name", ENCODINGS)
def test_looks_complete_when_cut_at_each_byte_then_it_is_never_complete(
    path: Path, name: str
) -> None:
    data = encoded(name, picture(7, 9, 8))
    assert judged(path, data) is True
    assert {judged(path, data[:length]) for length in range(len(data))} == {False}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("written", [0.0, 0.3, 0.9, 0.996])
def test_looks_complete_when_laid_out_in_advance_then_not_before_it_is_filled(
    path: Path, name: str, written: float
) -> None:
    data = encoded(name, picture(3, 240, 160))
    start = data[: int(written * len(data))]
    assert judged(path, start + bytes(len(data) - len(start))) is False
    # A hole, as ftruncate makes it, reads as zeros too.
    path.write_bytes(start)
    os.truncate(path, len(data))
    assert looks_complete(path) is False


@pytest.mark.parametrize("name", ["jpeg", "png"])
def test_looks_complete_when_a_camera_pads_a_little_then_yes_but_not_when_it_pads_much(
    path: Path, name: str
) -> None:
    data = encoded(name, picture(5))
    assert judged(path, data + bytes(PADDING_BYTES)) is True
    assert judged(path, data + b"\r\n") is True
    assert judged(path, data + bytes(PADDING_BYTES + 1)) is False
    assert judged(path, data + b"trailing words") is False


def test_looks_complete_when_a_jpeg_ends_with_its_preview_then_not_yet(path: Path) -> None:
    preview = encoded("jpeg", picture(1, 8, 8))
    data = encoded("jpeg", picture(2), exif=b"Exif\0\0" + preview)
    assert judged(path, data) is True
    end = data.index(preview) + len(preview)
    assert data[:end].endswith(b"\xff\xd9")
    assert judged(path, data[:end]) is False


def test_looks_complete_when_a_tiff_has_many_pages_then_all_must_be_there(path: Path) -> None:
    pages = [picture(seed) for seed in range(5)]
    data = encoded("tiff", pages[0], save_all=True, append_images=pages[1:])
    assert judged(path, data) is True
    # Pillow pads the last page to 16 bytes; a file that lacks only those is whole.
    lengths = range(0, len(data) - 15, 11)
    assert {judged(path, data[:length]) for length in lengths} == {False}


def test_looks_complete_when_a_tiff_is_big_endian_then_it_is_walked_too(path: Path) -> None:
    data = tiff(">", [(256, 3, 1, 2), (273, 4, 1, 62), (279, 4, 1, 20)]) + b"x" * 20
    assert judged(path, data) is True
    assert judged(path, data[:-1]) is False


@pytest.mark.parametrize("data", [b"", b"\x89", b"BM", b"\xff\xd8\xff\xd9", bytes(5000), b"word"])
def test_looks_complete_when_there_is_next_to_nothing_then_not_yet(path: Path, data: bytes) -> None:
    assert judged(path, data) is False


@pytest.mark.parametrize(
    "data", [b"this is a text that was renamed", b"GIF89a" + bytes(range(1, 99))]
)
def test_looks_complete_when_the_format_is_unknown_then_none(path: Path, data: bytes) -> None:
    assert judged(path, data) is None


def test_looks_complete_when_the_name_lies_then_the_content_decides(tmp_path: Path) -> None:
    assert judged(tmp_path / "a.bmp", encoded("png", picture(1))) is True
    assert judged(tmp_path / "a.png", encoded("jpeg", picture(1))[:-2]) is False


def test_looks_complete_when_the_file_is_gone_then_it_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        looks_complete(tmp_path / "none.png")


def tiff(order: str, entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """A classic TIFF with one directory at 8; values are out of line or left-justified by type."""
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    data += struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        packed = struct.pack(order + ("H" if kind == 3 and count == 1 else "I"), value)
        data += struct.pack(order + "HHI", tag, kind, count) + packed.ljust(4, b"\0")
    return data + struct.pack(order + "I", following) + bytes(12)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(tiff("<", [(273, 4, 1, 8), (279, 4, 1, 4)], following=8), id="circle"),
        pytest.param(tiff("<", [(273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)]), id="huge"),
        pytest.param(tiff("<", [(273, 16, 1, 8), (279, 99, 7, 8)]), id="unknown types"),
        pytest.param(tiff("<", [(273, 4, 1, 8)]), id="no counts"),
        pytest.param(tiff("<", [(256, 3, 1, 2)]), id="no pixels"),
        pytest.param(tiff("<", []), id="no entries"),
        pytest.param(b"II*\0" + struct.pack("<I", 2**32 - 1) + bytes(9), id="directory far off"),
        pytest.param(b"II+\0\x08\0\0\0" + b"\xff" * 40, id="big far off"),
        pytest.param(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 50_000, id="segments without end"),
        pytest.param(b"\xff\xd8" + b"\xff" * 500_000, id="fill bytes without end"),
    ],
)
def test_looks_complete_when_a_file_is_hostile_then_it_is_refused_soon(
    path: Path, data: bytes
) -> None:
    assert judged(path, data) is False


def test_looks_complete_when_a_tiff_has_endless_pages_then_the_walk_is_bounded(path: Path) -> None:
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(20_000):
        here = 8 + number * 18
        entry = struct.pack("<HHII", 256, 4, 1, 1)
        data += struct.pack("<H", 1) + entry + struct.pack("<I", here + 18)
    assert judged(path, bytes(data)) is False


@given(
    st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0+", b"\xff\xd8\xff", b"BM", b"RIFF"])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_looks_complete_when_the_bytes_are_anything_then_it_answers(
    path: Path, data: bytes, magic: bytes
) -> None:
    assert judged(path, magic + data) in (True, False)


@pytest.mark.parametrize("name", ["bmp", "tiff"])
def test_looks_complete_when_a_writer_closed_a_picture_with_a_dark_edge_then_it_is(
    path: Path, name: str
) -> None:
    pixels = picture(9, 240, 160)
    dark = pixels.copy()
    # A BMP ends with its top row, a TIFF with its bottom one.
    dark.paste(0, (0, 0, 240, 2))
    dark.paste(0, (0, 158, 240, 160))
    assert judged(path, encoded(name, dark)) is False
    assert looks_complete(path, closed=True) is True
    assert judged(path, encoded(name, pixels)) is True
