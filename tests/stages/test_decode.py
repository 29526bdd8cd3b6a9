"""`decode`: whole upright pictures or a reason in one line, whatever the bytes."""

from __future__ import annotations

import io
import os
import threading
import warnings
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from pydantic import ValidationError

from stages.decode import DecodeOptions, decode
from stages.errors import ImageError
from stages.records import Frame, ImageRef

SMALL = DecodeOptions(max_megapixels=1)


def read(path: Path, options: DecodeOptions | None = None) -> tuple[Frame, ...]:
    arrived = datetime(2026, 1, 2, tzinfo=UTC)
    image = ImageRef("id", os.fspath(path), None, 0, "press", "name", arrived)
    return decode(image, options or DecodeOptions())


def save(path: Path, picture: Image.Image, kind: str, **options: object) -> Path:
    picture.save(path, kind, **options)
    return path


def grey_ramp() -> np.ndarray:
    return np.linspace(0, 1, 64 * 32).reshape(32, 64)


def _samples() -> dict[str, bytes]:
    noise = np.random.default_rng(7).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    colour = Image.fromarray(noise)
    grey = colour.convert("L")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    pages = {"save_all": True, "append_images": [grey.rotate(180), grey]}
    made = {
        "bmp": (grey, "BMP", {}),
        "bmp palette": (colour.quantize(5), "BMP", {}),
        "png": (colour, "PNG", {"exif": exif}),
        "png palette": (colour.quantize(5), "PNG", {"transparency": 1}),
        "apng": (grey, "PNG", pages),
        "jpeg": (colour, "JPEG", {"exif": exif}),
        "jpeg progressive": (grey, "JPEG", {"progressive": True}),
        "jpeg cmyk": (colour.convert("CMYK"), "JPEG", {}),
        "tiff": (colour, "TIFF", {"exif": exif}),
        "tiff pages": (grey, "TIFF", pages),
        "tiff lzw pages": (grey, "TIFF", {**pages, "compression": "tiff_lzw"}),
        "tiff big": (grey, "TIFF", {**pages, "big_tiff": True}),
        "tiff fax": (grey.convert("1"), "TIFF", {"compression": "group4"}),
        "tiff float": (grey.convert("F"), "TIFF", {}),
        "webp": (colour, "WEBP", {"exif": exif.tobytes()}),
        "webp lossless": (colour.convert("RGBA"), "WEBP", {"lossless": True}),
        "webp animated": (grey, "WEBP", pages),
    }
    encoded = {}
    for name, (picture, kind, options) in made.items():
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        encoded[name] = buffer.getvalue()
    return encoded


SAMPLES = _samples()


def test_decode_when_given_every_case_of_the_corpus_then_reads_or_refuses_it_as_foretold(
    poison, poison_corpus
):
    wrong = {}
    for case in poison_corpus:
        try:
            frames = read(case.path)
        except ImageError as error:
            text = str(error)
            if case.readable or case.words not in text or "\n" in text:
                wrong[case.path.name] = text
            continue
        shows = [_shows_the_picture(poison, frame) for frame in frames]
        if not case.readable or len(frames) != len(case.texts) or not all(shows):
            wrong[case.path.name] = (case.why, [frame.pixels.shape for frame in frames], shows)
    assert wrong == {}
    assert len(poison_corpus) > 30


def _shows_the_picture(poison, frame: Frame) -> bool:
    """Size, the black square in the top left corner and nowhere else, and black strokes."""
    pixels, corner = frame.pixels, poison.CORNER_PX
    corners = [
        pixels[rows, columns].mean()
        for rows in (np.s_[2 : corner - 2], np.s_[2 - corner : -2])
        for columns in (np.s_[2 : corner - 2], np.s_[2 - corner : -2])
    ]
    strokes = pixels[corner:-corner, corner:-corner]
    return (
        pixels.shape[1::-1] == poison.SIZE
        and corners[0] < 8
        and min(corners[1:]) > 247
        and strokes.min() < 16
        and 0.04 < (strokes < 128).mean() < 0.4
    )


def test_decode_when_successful_then_frames_are_read_only_and_pages_count_from_1(poison, tmp_path):
    path = tmp_path / "pages.tif"
    first, *rest = [poison.draw(text) for text in poison.PAGES]
    first.save(path, "TIFF", save_all=True, append_images=rest)
    frames = read(path)
    assert [frame.page for frame in frames] == [1, 2, 3]
    assert not any(frame.pixels.flags.writeable for frame in frames)
    assert not np.array_equal(frames[0].pixels, frames[1].pixels)
    point = [[3.0, 4.5]]
    assert frames[2].transform.to_original(point).tolist() == point


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_decode_when_exif_tells_the_orientation_then_the_frame_is_upright(
    poison, tmp_path, kind, orientation
):
    # The inverse of what a viewer does; EXIF 2.32, tag 0x0112.
    stored_as = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = poison.draw()
    stored = upright.transpose(stored_as[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    [frame] = read(save(tmp_path / "x", stored, kind, exif=exif, **lossless))
    assert frame.pixels.shape[:2] == (100, 320)
    seen = frame.pixels if frame.pixels.ndim == 2 else frame.pixels[..., 0]
    assert np.abs(seen.astype(int) - np.asarray(upright)).max() <= (60 if kind == "JPEG" else 0)


def test_decode_when_exif_is_broken_then_the_picture_is_read_as_it_lies(tmp_path):
    path = save(tmp_path / "x.png", Image.new("L", (6, 4), 9), "PNG", exif=b"Exif\0\0II*\0rubbish")
    [frame] = read(path)
    assert frame.pixels.shape == (4, 6)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_decode_when_grey_has_more_bits_then_the_sensor_range_fills_8_bits(tmp_path, kind, bits):
    values = np.round(grey_ramp() * (2**bits - 1)).astype(np.uint16)
    [frame] = read(save(tmp_path / "x", Image.fromarray(values), kind))
    assert frame.pixels.dtype == np.uint8
    assert np.abs(frame.pixels - grey_ramp() * 255).max() <= 1


def test_decode_when_16_bits_are_big_endian_then_they_are_read_as_such(tmp_path):
    values = np.round(grey_ramp() * 65535).astype(">u2")
    [frame] = read(save(tmp_path / "x.tif", Image.fromarray(values), "TIFF"))
    assert np.abs(frame.pixels - grey_ramp() * 255).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (grey_ramp(), grey_ramp() * 255),
        (grey_ramp() * 1e6 - 3e5, grey_ramp() * 255),
        (np.where(grey_ramp() < 0.5, np.nan, 1.0), np.where(grey_ramp() < 0.5, 0, 255)),
        (np.full((2, 3), 0x7FA00000, np.uint32).view(np.float32), np.zeros((2, 3))),
        (np.full((2, 3), np.inf), np.full((2, 3), 255)),
        (np.full((2, 3), 7.0), np.zeros((2, 3))),
    ],
    ids=["unit range", "any range", "gaps", "signalling", "nothing finite", "flat"],
)
def test_decode_when_grey_is_float_then_its_range_fills_8_bits(tmp_path, values, expected):
    [frame] = read(save(tmp_path / "x.tif", Image.fromarray(values.astype(np.float32)), "TIFF"))
    assert np.abs(frame.pixels - expected).max() <= 1


def test_decode_when_grey_is_signed_then_the_darkest_is_black(tmp_path):
    values = np.round(grey_ramp() * 65535 - 32768).astype(np.int32)
    [frame] = read(save(tmp_path / "x.tif", Image.fromarray(values), "TIFF"))
    assert np.abs(frame.pixels - grey_ramp() * 255).max() <= 1


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, 255),
        ("L", 40, 40),
        ("LA", (0, 128), 127),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (0, 100, 0, 0), [255, 255, 255]),
        ("RGBA", (0, 100, 0, 255), [0, 100, 0]),
    ],
)
def test_decode_when_modes_differ_then_grey_stays_grey_and_alpha_lies_on_white(
    tmp_path, mode, colour, expected
):
    [frame] = read(save(tmp_path / "x.png", Image.new(mode, (5, 4), colour), "PNG"))
    assert frame.pixels[2, 3].tolist() == expected


@pytest.mark.parametrize(
    ("picture", "transparency"),
    [
        (Image.new("L", (3, 2), 7), 7),
        (Image.new("RGB", (3, 2), (7, 8, 9)), (7, 8, 9)),
        (Image.new("L", (3, 2), 7).quantize(2), b"\0\0"),
    ],
    ids=["grey", "colour", "palette"],
)
def test_decode_when_a_png_names_a_transparent_colour_then_it_becomes_white(
    tmp_path, picture, transparency
):
    [frame] = read(save(tmp_path / "x.png", picture, "PNG", transparency=transparency))
    assert frame.pixels.min() == 255


def test_decode_when_a_tiff_page_is_a_thumbnail_then_it_is_left_out(tmp_path):
    small = Image.new("L", (4, 3))
    small.encoderinfo = {"tiffinfo": {ExifTags.Base.NewSubfileType: 1}}
    pages = [small, Image.new("L", (8, 6), 50)]
    path = save(
        tmp_path / "x.tif", Image.new("L", (8, 6)), "TIFF", save_all=True, append_images=pages
    )
    frames = read(path)
    assert [(frame.page, frame.pixels.shape) for frame in frames] == [(1, (6, 8)), (3, (6, 8))]


def test_decode_when_the_pages_together_are_too_many_pixels_then_refuses(tmp_path):
    page = Image.new("1", (1000, 400))
    path = save(tmp_path / "x.tif", page, "TIFF", save_all=True, append_images=[page, page])
    with pytest.raises(ImageError, match=r"1000 x 400 pixels on page 3 exceed decode\.max_megapix"):
        read(path, SMALL)
    assert len(read(path, DecodeOptions(max_megapixels=1.2))) == 3


def test_decode_when_the_file_is_too_long_then_refuses_before_reading_it(tmp_path):
    path = tmp_path / "x.bmp"
    with path.open("wb") as file:
        file.truncate(3_000_000)
    with pytest.raises(ImageError, match=r"3 MB, more than decode\.max_file_megabytes = 2"):
        read(path, DecodeOptions(max_file_megabytes=2))


def test_decode_options_when_beyond_pillows_own_limit_then_are_refused():
    with pytest.raises(ValidationError):
        DecodeOptions(max_megapixels=2 * Image.MAX_IMAGE_PIXELS / 1e6)


def test_decode_when_the_file_has_vanished_then_says_so(tmp_path):
    with pytest.raises(ImageError, match="vanished"):
        read(tmp_path / "gone.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in the file system are POSIX")
def test_decode_when_given_a_pipe_then_refuses_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read(tmp_path / "pipe.png")


def test_decode_when_pillow_warns_in_many_threads_then_nothing_leaks(poison, tmp_path):
    # 92 megapixels: Pillow warns of a bomb, which pytest here would turn into an error.
    large = tmp_path / "large.png"
    side = 9_600
    data = zlib.compress(bytes(side * (side // 8 + 1)), 1)
    large.write_bytes(poison.png_header_says(side, data))
    # A tag that points behind the end of the file: "Tag data larger than file".
    warned = save(tmp_path / "odd.tif", Image.new("L", (6, 4)), "TIFF", dpi=(300, 300))
    odd = bytearray(warned.read_bytes())
    entry = odd.index((282).to_bytes(2, "little") + (5).to_bytes(2, "little"))
    odd[entry + 4 : entry + 8] = (2**30).to_bytes(4, "little")
    warned.write_bytes(odd)
    with pytest.warns(UserWarning, match="larger than file"):
        Image.open(warned).close()

    before = list(warnings.filters)
    shapes: list[tuple[int, ...]] = []

    def work() -> None:
        for _ in range(40):
            shapes.append(read(warned)[0].pixels.shape)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert read(large)[0].pixels.shape == (side, side)
    for thread in threads:
        thread.join()
    assert len(shapes) == 160
    assert warnings.filters == before


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(sorted(SAMPLES)), data=st.data())
def test_decode_when_bytes_are_mutated_then_gives_frames_or_an_image_error(tmp_path, name, data):
    changed = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed) - 1))
        piece = data.draw(st.binary(max_size=4))
        changed[at : at + data.draw(st.sampled_from([0, 1, len(piece)]))] = piece
    path = tmp_path / "x"
    path.write_bytes(changed)
    try:
        frames = read(path, SMALL)
    except ImageError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert frames
        for frame in frames:
            assert frame.pixels.dtype == np.uint8
            assert frame.pixels.ndim == 2 or frame.pixels.shape[2] == 3
            assert frame.pixels.size > 0


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_decode_when_the_end_is_cut_off_then_never_gives_less_than_the_whole(tmp_path, name):
    path = tmp_path / "x"
    path.write_bytes(SAMPLES[name])
    whole = [frame.pixels.tobytes() for frame in read(path, SMALL)]
    less = []
    # Every fourth: the shortest thing that must not go missing is a pointer of four bytes.
    for cut in range(1, len(SAMPLES[name]), 4):
        path.write_bytes(SAMPLES[name][:-cut])
        try:
            frames = read(path, SMALL)
        except ImageError:
            continue
        if [frame.pixels.tobytes() for frame in frames] != whole:
            less.append(cut)
    assert less == []
