"""ImageRef -> Frames: opens a picture once, completely, and as a viewer would show it.

Content decides, not the suffix: BMP, PNG, JPEG, TIFF and WEBP are accepted. Every page of a TIFF
is a frame; of an animation or a stereo JPEG only the first picture. EXIF orientation is applied,
transparency is laid on white, 16-bit and float grey is scaled to 8 bits, 16-bit colour keeps its
upper 8. So original pixels, as in `cord`, are those that a person sees on opening the file.
Everything that is wrong with a file is an `ImageError`; half a picture is never returned.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import threading
import warnings
import zlib

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pydantic import Field

from stages.errors import ImageError
from stages.options import Options
from stages.records import Frame, ImageRef
from stages.transform import Transform

# Made from the imported plug-ins: Pillow's lazy loading of them is not safe between threads.
FORMATS: tuple[str, ...] = tuple(
    plugin.format
    for plugin in (BmpImageFile, PngImageFile, JpegImageFile, TiffImageFile, WebPImageFile)
)

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"BM", "BMP"),
    (0, b"\x89PNG", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    *((0, signature, "TIFF") for signature in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (8, b"WEBP", "WEBP"),
    (0, b"GIF8", "GIF"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "PSD"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"ftyp", "HEIC, AVIF or a video"),
)

# What Pillow's parsers have been seen to raise on damaged files.
_PILLOW_ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError),
    *(NotImplementedError, OSError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(struct.error, zlib.error),
)

_STRIP_ROWS = 64

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (CIPA DC-008, tag 0x0112) to the operation that makes the picture upright."""


class DecodeOptions(Options):
    """What a file may cost before it is refused."""

    # 178: Pillow itself refuses twice its MAX_IMAGE_PIXELS, a process-wide limit left alone.
    max_megapixels: float = Field(
        100,
        gt=0,
        le=178,
        description="largest picture, in millions of pixels, summed over its pages",
    )
    max_pages: int = Field(64, ge=1, description="most pages of a TIFF file")
    max_file_megabytes: float = Field(
        512, gt=0, description="largest file, in millions of bytes; it is read into memory"
    )


def decode(
    image: ImageRef, options: DecodeOptions, content: bytes | None = None
) -> tuple[Frame, ...]:
    """Read a picture, one frame per page, pages counted from 1, transforms the identity.

    Pixels are (H, W) for one-channel files and (H, W, 3) RGB otherwise, uint8, EXIF-upright.
    The size is judged by the header before any pixel is decoded. `content` is the file's, for who
    cannot open its path.

    Raises:
        ImageError: the file is gone, unreadable, empty, no accepted picture, damaged, or too large.
    """
    data = content_of(image, options) if content is None else content
    with _PILLOW_SILENCED:
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                pages = _pages(picture, data, options)
                _check_ending(picture, data)
                return tuple(
                    Frame(image, number, _pixels(picture, number), Transform()) for number in pages
                )
        except UnidentifiedImageError as error:
            raise ImageError(_unidentified(data)) from error
        except Image.DecompressionBombError as error:
            raise ImageError(_too_large("its pixels", options)) from error
        except _PILLOW_ERRORS as error:
            detail = " ".join(str(error).split()) or type(error).__name__
            raise ImageError(
                f"damaged or unusual {_kind(data) or 'picture'}: {detail}; "
                "if no viewer shows it whole, let the camera send it again"
            ) from error


def content_of(image: ImageRef, options: DecodeOptions) -> bytes:
    """The bytes of a picture's file.

    Raises:
        ImageError: it is gone, unreadable, empty or too large.
    """
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(image.path).st_mode):
            raise ImageError("not a regular file: a folder or a device has a picture's name")
        with open(image.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > options.max_file_megabytes * 1e6:
                raise ImageError(
                    f"too large: a file of {size / 1e6:.0f} MB, more than decode.max_file_megabytes"
                    f" = {options.max_file_megabytes:g}; raise it if such pictures are expected"
                )
            # No more than was judged: a file may be written on meanwhile.
            data = file.read(size)
    except FileNotFoundError as error:
        raise ImageError("the file has vanished: something else moved or deleted it") from error
    except PermissionError as error:
        raise ImageError(
            "permission denied: give the account that runs markwatch the right to read the file"
        ) from error
    except OSError as error:
        raise ImageError(
            f"the file cannot be read ({error.strerror}): check the disk or the network share"
        ) from error
    if not data:
        raise ImageError("the file is empty (0 bytes): let the camera send it again")
    return data


def _pages(picture: Image.Image, data: bytes, options: DecodeOptions) -> list[int]:
    """The pages to decode, counted from 1, judged by their headers alone."""
    pages = []
    pixels = 0
    number = 1
    while True:
        if not _is_reduced(picture, number):
            pages.append(number)
            pixels += picture.width * picture.height
        if pixels > options.max_megapixels * 1e6:
            size = f"{picture.width} x {picture.height} pixels"
            raise ImageError(_too_large(f"{size} on page {number}", options))
        if pixels == 0:
            raise ValueError("it has no pixels")
        if not isinstance(picture, TiffImageFile):
            return pages
        _check_directory(picture, data)
        try:
            picture.seek(number)
        except EOFError:
            return pages
        number += 1
        if number > options.max_pages:
            raise ImageError(
                f"too large: more than decode.max_pages = {options.max_pages} pages; "
                "raise it if such files are expected"
            )


def _is_reduced(picture: Image.Image, number: int) -> bool:
    """Whether a later page is a thumbnail of another one (TIFF 6.0, NewSubfileType bit 0)."""
    if number == 1 or not isinstance(picture, TiffImageFile):
        return False
    return bool(picture.tag_v2.get(ExifTags.Base.NewSubfileType, 0) & 1)


def _check_directory(picture: TiffImageFile, data: bytes) -> None:
    """Find a page directory that is cut off: Pillow would take it for the last one."""
    count_bytes, entry_bytes, pointer_bytes = (8, 20, 8) if 43 in data[2:4] else (2, 12, 4)
    start = picture.tag_v2.offset + count_bytes
    order = "little" if picture.tag_v2.prefix == b"II" else "big"
    entries = int.from_bytes(data[start - count_bytes : start], order)
    if start + entries * entry_bytes + pointer_bytes > len(data):
        raise OSError("image file is truncated (in the directory of a page)")


def _check_ending(picture: Image.Image, data: bytes) -> None:
    """Find a JPEG that was never written to its end: libjpeg takes the zeros there for pixels."""
    if isinstance(picture, JpegImageFile) and data.find(b"\xff\xd9", _start_of_scan(data)) < 0:
        raise OSError("image file is truncated (no end of image)")


def _start_of_scan(data: bytes) -> int:
    """Where a JPEG's first scan begins: past the segments, which may hold a whole thumbnail."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xDA:
            return at
        standalone = marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        at += 1 if standalone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return len(data)


def _pixels(picture: Image.Image, number: int) -> np.ndarray:
    if isinstance(picture, TiffImageFile):
        picture.seek(number - 1)
    picture.load()
    upright: Image.Image = picture
    # Pillow itself turns a TIFF upright when it loads it.
    if (
        not isinstance(picture, TiffImageFile)
        and (orientation := _orientation(picture)) in _UPRIGHT
    ):
        upright = picture.transpose(_UPRIGHT[orientation])
    if upright.mode.startswith("I") or upright.mode == "F":
        return _eight_bits(np.asarray(upright))
    if upright.has_transparency_data:
        upright = _on_white(upright)
    mode = "L" if upright.mode in ("1", "L") else "RGB"
    return np.asarray(upright if upright.mode == mode else upright.convert(mode))


def _orientation(picture: Image.Image) -> int:
    try:
        return picture.getexif().get(ExifTags.Base.Orientation, 1)
    except _PILLOW_ERRORS:
        # Broken metadata is no reason to lose a sound picture; viewers ignore it too.
        return 1


def _on_white(picture: Image.Image) -> Image.Image:
    grey = picture.mode in ("1", "L", "LA", "La")
    layer = picture.convert("LA" if grey else "RGBA")
    ground = Image.new("L" if grey else "RGB", picture.size, "white")
    ground.paste(layer.convert(ground.mode), mask=layer.getchannel("A"))
    return ground


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale grey of more than 8 bits: integers by the sensor's depth, floats by their range.

    The depth is the smallest even number of bits that holds the brightest pixel, as cameras store
    10, 12 or 14 bits in 16. Floats are 0 to 1 where they fit in, else darkest to brightest.
    """
    if values.dtype.kind == "f":
        return _eight_bits_of_floats(values)
    if (low := int(values.min())) < 0:
        values = values.astype(np.int64) - low
    bits = max(8, int(values.max()).bit_length())
    return (values >> (bits + bits % 2 - 8)).astype(np.uint8)


def _eight_bits_of_floats(values: np.ndarray) -> np.ndarray:
    """Some rows at a time: at once, a small file would cost 35 bytes for each of its pixels."""
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=np.inf))
    high = float(values.max(where=finite, initial=-np.inf))
    if low > high or (low >= 0 and high <= 1):
        low, high = 0.0, 1.0
    scaled = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP_ROWS):
        strip = values[top : top + _STRIP_ROWS]
        strip = np.nan_to_num(strip, nan=low, posinf=high, neginf=low).astype(np.float64)
        scaled[top : top + _STRIP_ROWS] = np.round((strip - low) * (255 / ((high - low) or 1.0)))
    return scaled


def _kind(data: bytes) -> str | None:
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    return None


def _unidentified(data: bytes) -> str:
    kind = _kind(data)
    accepted = ", ".join(FORMATS)
    if kind in FORMATS:
        return f"damaged or unusual {kind}: its header makes no sense; let the camera send it again"
    if kind:
        return f"unsupported format {kind}: set the camera to one of {accepted}"
    return f"not a picture: the content is none of {accepted}, whatever the file's name says"


def _too_large(size: str, options: DecodeOptions) -> str:
    return (
        f"too large: {size} exceed decode.max_megapixels = "
        f"{options.max_megapixels:g}; raise it if such pictures are expected"
    )


class _Silence:
    """Ignores Pillow's warnings while any thread decodes.

    `warnings.catch_warnings` swaps a list that belongs to the process, so threads that overlap
    would restore each other's; the first thread in opens it, the last one out closes it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._threads == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._threads += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads == 0:
                self._filters.__exit__(None, None, None)


_PILLOW_SILENCED = _Silence()
