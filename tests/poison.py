"""The corpus of bad and odd files that a factory's cameras and people drop into a folder.

`make(folder)` writes them and says of each whether it must be read, with which text on which page,
or must fail, with which words in its reason. Every readable page shows the same picture but for
its text: `SIZE`, white, upright, with a black square `CORNER_PX` wide in its top left corner.
What a file system or an account refuses to make is left out.
"""

from __future__ import annotations

import io
import os
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont

from stages.decode import DecodeOptions

SIZE = (320, 100)
CORNER_PX = 20
TEXT = "K7402"
PAGES = ("A1001", "B2002", "C3003")
KINDS = {"bmp": "BMP", "png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Case:
    """One file: read with `texts`, one per page, or refused with `words` in the reason."""

    path: Path
    why: str
    texts: tuple[str, ...] = ()
    words: str | None = None

    @property
    def readable(self) -> bool:
        return self.words is None


def draw(text: str = TEXT) -> Image.Image:
    """The grey picture that every readable case shows."""
    picture = Image.new("L", SIZE, 255)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, CORNER_PX - 1, CORNER_PX - 1), fill=0)
    pen.text((70, 20), text, fill=0, font=ImageFont.load_default(size=56))
    return picture


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def make(folder: Path) -> list[Case]:
    """Write the corpus into an existing folder."""
    cases = [*_empty_or_foreign(folder), *_damaged(folder), *_too_large(folder)]
    cases += [*_strangers(folder), *_cut_short(folder), *_hostile(folder)]
    cases += [*_unusual(folder), *_turned(folder), *_many_pages(folder), *_odd_names(folder)]
    return cases + _no_access(folder)


def _bad(path: Path, data: bytes, why: str, words: str) -> Case:
    path.write_bytes(data)
    return Case(path, why, words=words)


def _good(path: Path, data: bytes, why: str, texts: tuple[str, ...] = (TEXT,)) -> Case:
    path.write_bytes(data)
    return Case(path, why, texts=texts)


def _empty_or_foreign(folder: Path) -> list[Case]:
    jpeg = encode(draw(), "JPEG")
    return [
        _bad(folder / "empty.png", b"", "0 bytes", "empty"),
        _bad(folder / "text.png", b"lot;K7402\n" * 20, "text renamed", "not a picture"),
        _bad(folder / "gif.png", encode(draw(), "GIF"), "a GIF renamed", "unsupported format GIF"),
        _good(folder / "jpeg.png", jpeg, "wrong suffix for the content"),
        _good(folder / "png.jpg", encode(draw(), "PNG"), "wrong suffix for the content"),
        _good(folder / "trailer.jpg", jpeg + b"camera 7" * 9, "a vendor's bytes after the end"),
    ]


def _damaged(folder: Path) -> list[Case]:
    cases = []
    for suffix, kind in KINDS.items():
        data = encode(draw().convert("RGB"), kind)
        path = folder / f"truncated.{suffix}"
        cases.append(_bad(path, data[: len(data) * 6 // 10], "truncated", "damaged"))
    # So much noise that what was written holds bits enough for every block: libjpeg is content.
    noise = np.random.default_rng(1).integers(0, 50, SIZE[::-1], dtype=np.uint8)
    noisy = Image.fromarray(np.asarray(draw()) - np.minimum(noise, np.asarray(draw())))
    # The comment stands for an embedded thumbnail: it has a start and an end of its own.
    jpeg = encode(noisy, "JPEG", quality=95, comment=b"\xff\xda\xff\xd9")
    zeroed = jpeg[: len(jpeg) // 2] + bytes(len(jpeg) - len(jpeg) // 2)
    cases.append(_bad(folder / "zeroed.jpg", zeroed, "full size, never written", "damaged"))
    png = bytearray(encode(draw(), "PNG"))
    png[len(png) // 2] ^= 0x10
    cases.append(_bad(folder / "flipped.png", bytes(png), "one bit flipped", "damaged"))
    pages = _tiff(*PAGES)
    cases.append(_bad(folder / "truncated-pages.tif", pages[:-600], "last page cut", "damaged"))
    return cases


def _too_large(folder: Path) -> list[Case]:
    options = DecodeOptions()
    pages = [Image.new("1", (8, 8))] * (options.max_pages + 1)
    many = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    side = 20_000
    zeros = zlib.compress(bytes(side * (side // 8 + 1)), 1)
    return [
        _bad(
            folder / "bomb.png",
            png_header_says(side, zeros),
            "a few kB hold 400 megapixels",
            "too large",
        ),
        _bad(
            folder / "giga.png", png_header_says(60_000, zeros), "says 3600 megapixels", "too large"
        ),
        _bad(
            folder / "lying.png",
            png_header_says(9_000, zlib.compress(bytes(99))),
            "says more",
            "damaged",
        ),
        _bad(folder / "many.tif", many, "too many pages", "too large"),
    ]


def _strangers(folder: Path) -> list[Case]:
    """What other programs leave in a shared folder under a picture's name."""
    contents = {
        "login.jpg": b"<!DOCTYPE html><title>Camera 7: please log in</title>" * 9,
        "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
        "archive.tif": b"PK\3\4" + bytes(200),
        "program.bmp": b"\x7fELF" + bytes(300),
        "erased.png": b"\xff" * 4096,
        "noise.png": np.random.default_rng(2).bytes(4096),
    }
    cases = [_bad(folder / name, data, name, "not a picture") for name, data in contents.items()]
    pdf, heic = b"%PDF-1.7\n" + bytes(99), b"\0\0\0\x20ftypheic" + bytes(64)
    return [
        *cases,
        _bad(folder / "report.tif", pdf, "a PDF renamed", "unsupported format PDF"),
        _bad(folder / "phone.jpg", heic, "a telephone's picture", "unsupported format HEIC"),
    ]


def _cut_short(folder: Path) -> list[Case]:
    png, jpeg = encode(draw(), "PNG"), encode(draw(), "JPEG")
    webp = encode(draw().convert("RGB"), "WEBP")
    progressive = encode(draw(), "JPEG", progressive=True)
    contents = {
        "signature.png": (png[:8], "the signature alone"),
        "start.jpg": (jpeg[:3], "three bytes"),
        "header.webp": (webp[:30], "the header alone"),
        "no-data.png": (png[:33] + _chunk(b"IEND", b""), "a header and an end"),
        "no-end.jpg": (jpeg[:-2], "all but the last two bytes"),
        "progressive.jpg": (progressive[: len(progressive) // 2], "a coarse picture already"),
    }
    return [_bad(folder / name, data, why, "damaged") for name, (data, why) in contents.items()]


def _hostile(folder: Path) -> list[Case]:
    """Files that somebody made to be opened."""
    png, tiff = encode(draw(), "PNG"), bytearray(encode(draw(), "TIFF"))
    header, rest = png[:33], png[33:]
    zeros = zlib.compress(bytes(64 << 20), 9)
    broken = header[:-1] + bytes([header[-1] ^ 1]) + rest
    empty = header[:8] + _chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 0, 0, 0, 0)) + rest
    huge = bytearray(encode(draw(), "BMP"))
    huge[18:26] = struct.pack("<ii", 60_000, 60_000)
    start = struct.unpack_from("<I", tiff, 4)[0]
    loop, far = bytearray(tiff), bytearray(tiff)
    struct.pack_into("<I", loop, start + 2 + 12 * struct.unpack_from("<H", tiff, start)[0], start)
    struct.pack_into("<I", far, 4, 1 << 31)
    bombs = {"zTXt": b"Comment\0\0", "iTXt": b"Comment\0\1\0\0\0", "iCCP": b"profile\0\0"}
    return [
        *[
            _bad(
                folder / f"{name}.png",
                header + _chunk(name.encode(), start_of_text + zeros) + rest,
                "64 MB of text in 64 kB",
                "damaged",
            )
            for name, start_of_text in bombs.items()
        ],
        _bad(folder / "checksum.png", broken, "the header's checksum is wrong", "damaged"),
        _bad(folder / "no-size.png", empty, "says 0 x 0", "damaged"),
        _bad(folder / "huge.bmp", bytes(huge), "says 3600 megapixels", "too large"),
        _bad(folder / "far.tif", bytes(far), "its directory lies behind its end", "damaged"),
        _good(folder / "loop.tif", bytes(loop), "its next page is its first"),
    ]


def _unusual(folder: Path) -> list[Case]:
    grey = draw()
    values = np.asarray(grey)
    rgb = grey.convert("RGB")
    clear = Image.merge("RGBA", [*[Image.new("L", SIZE, 0)] * 3, grey.point(lambda v: 255 - v)])
    colours = rgb.quantize(4)
    twelve = Image.fromarray(values.astype(np.uint16) * 16)
    return [
        _good(folder / "16-bit.png", _sixteen_bits(values), "16-bit grey"),
        _good(folder / "12-bit.tif", encode(twelve, "TIFF"), "12 bits in 16"),
        _good(
            folder / "float.tif", encode(Image.fromarray(values / np.float32(255)), "TIFF"), "float"
        ),
        _good(folder / "1-bit.tif", encode(grey.convert("1"), "TIFF", compression="group4"), "fax"),
        _good(folder / "palette.png", encode(colours, "PNG"), "palette"),
        _good(folder / "palette.bmp", encode(colours, "BMP"), "palette"),
        _good(folder / "cmyk.jpg", encode(rgb.convert("CMYK"), "JPEG"), "CMYK"),
        _good(folder / "cmyk.tif", encode(rgb.convert("CMYK"), "TIFF"), "CMYK"),
        _good(folder / "alpha.png", encode(clear, "PNG"), "black on nothing"),
        _good(folder / "alpha.webp", encode(clear, "WEBP", lossless=True), "black on nothing"),
        _good(folder / "alpha.tif", encode(clear.convert("LA"), "TIFF"), "grey and alpha"),
    ]


def _turned(folder: Path) -> list[Case]:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = draw().transpose(Image.Transpose.ROTATE_90)
    return [
        _good(folder / f"exif.{suffix}", encode(stored, kind, exif=exif), "EXIF says: turn right")
        for suffix, kind in KINDS.items()
        if kind != "BMP"
    ]


def _many_pages(folder: Path) -> list[Case]:
    moving = {"save_all": True, "append_images": [draw("LATER")], "lossless": True}
    return [
        _good(folder / "pages.tif", _tiff(*PAGES), "three pages", PAGES),
        _good(folder / "animated.png", encode(draw(), "PNG", **moving), "animation: first picture"),
        _good(folder / "animated.webp", encode(draw(), "WEBP", **moving), "animation"),
    ]


def _odd_names(folder: Path) -> list[Case]:
    umlauts = "Prüfstück äöü.png"
    names = {
        "spaces": " part 7  left .png",
        "umlauts in NFC": unicodedata.normalize("NFC", umlauts),
        "umlauts in NFD": unicodedata.normalize("NFD", umlauts),
        "emoji": "part \N{WRENCH}\N{ZERO WIDTH JOINER}\N{GEAR}.png",
        "newline": "line\nbreak.png",
        "255 bytes": "n" * 251 + ".png",
        "undecodable bytes": os.fsdecode(b"latin-\xfc\xff.png"),
        "like a formula, an option and CSV": '-=1+1,"K";.png',
        "like a command": "$(reboot);`id`|x&.png",
        "like a path": "%2e%2e%2f..\\..\\etc.png",
        "written backwards": "part\u202egnp.exe.png",
    }
    cases = []
    data = encode(draw(), "PNG")
    for why, name in names.items():
        path = folder / name
        try:
            # "x": where the file system folds NFC and NFD, the twin is refused, not overwritten.
            with path.open("xb") as file:
                file.write(data)
        except (OSError, ValueError):
            continue
        cases.append(Case(path, f"name: {why}", texts=(TEXT,)))
    return cases


def _no_access(folder: Path) -> list[Case]:
    directory = folder / "directory.png"
    directory.mkdir()
    cases = [Case(directory, "a directory", words="not a regular file")]
    locked = folder / "locked.png"
    locked.write_bytes(encode(draw(), "PNG"))
    locked.chmod(0)
    # An administrator reads it all the same.
    if os.access(locked, os.R_OK):
        locked.unlink()
    else:
        cases.append(Case(locked, "no permission", words="permission denied"))
    return cases


def _tiff(*texts: str) -> bytes:
    first, *rest = [draw(text) for text in texts]
    return encode(first, "TIFF", save_all=True, append_images=rest)


def _sixteen_bits(values: np.ndarray) -> bytes:
    return encode(Image.fromarray(values.astype(np.uint16) * 257), "PNG")


def png_header_says(side: int, compressed: bytes) -> bytes:
    """A 1-bit PNG whose header says side x side, whatever its data holds."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", compressed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG (PNG 3, 5.3)."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
