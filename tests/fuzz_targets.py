"""What is fuzzed: all that takes bytes from outside, and the error that each may end with."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from fuzz_serving import serving
from fuzzing import Target
from made import Clock, failure, image, report
from PIL import ExifTags, Image, ImageDraw

from flows.commands import site, status
from flows.commands.broker import _opening
from flows.configuration import recipes, settings
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import Layout
from flows.configuration.yamlfile import parse_layer
from flows.configuration.yamlrevise import revised
from flows.endings import looks_complete
from flows.files.sidecar import SUFFIX, expected_of
from flows.ledger.log import Claim, Ledger, Outcome
from stages.decode import DecodeOptions, decode
from stages.errors import ConfigError, ImageError

SMALL = DecodeOptions(max_megapixels=1, max_pages=8, max_file_megabytes=1)
RECOGNISER = RecogniserChoice(use="trocr")


def targets(folder: Path) -> list[Target]:
    """Every target, its files in an empty folder."""
    return [
        Target("decode", 0.26, pictures(), PICTURE_WORDS, decoding(folder)),
        Target("endings", 0.16, pictures(), PICTURE_WORDS, ending(folder)),
        Target("settings", 0.1, SETTINGS, YAML_WORDS, loading_settings(folder / "settings")),
        Target("recipe", 0.1, RECIPES, YAML_WORDS, loading_recipe(folder / "recipes")),
        Target("draft", 0.05, RECIPES, YAML_WORDS, revising),
        Target("environment", 0.05, VARIABLES, YAML_WORDS, from_environment),
        Target("ledger, its bytes", 0.02, [ledger(folder)], LEDGER_WORDS, reading(folder)),
        Target("ledger, its cells", 0.02, CELLS, CELL_WORDS, cell(folder)),
        Target("expected codes", 0.05, EXPECTED, [b"\x1b[2J"], sidecar(folder)),
        Target("broker's first packet", 0.05, PACKETS, [b"\xff", b"MQTT", b"\0\4"], admitting),
        *serving(folder),
    ]


PICTURE_WORDS = [
    *(b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xe1", b"Exif\0\0", b"II*\0", b"MM\0*", b"II+\0"),
    *(b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"fdAT"),
    *(b"RIFF", b"WEBP", b"VP8X", b"VP8L", b"ANIM", b"ANMF", b"EXIF", b"ICCP", b"BM", b"MPF\0"),
]


def pictures() -> list[bytes]:
    """One of each kind of file that is read, small."""
    grey = Image.new("L", (24, 16), 200)
    ImageDraw.Draw(grey).text((2, 2), "K7", fill=0)
    rgb, rgba = grey.convert("RGB"), grey.convert("RGBA")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    pages = {"save_all": True, "append_images": [grey, grey]}
    kinds = [
        *((each, kind, {}) for each in (grey, rgb) for kind in ("BMP", "PNG", "JPEG", "WEBP")),
        *((grey.convert("I;16"), "PNG", {}), (rgba, "PNG", pages), (grey.convert("P"), "PNG", {})),
        *((rgb, "JPEG", {"exif": exif, "progressive": True}), (rgb.convert("CMYK"), "JPEG", {})),
        *((rgba, "WEBP", {"lossless": True, "exif": exif}), (rgb, "WEBP", pages)),
        *((grey, "TIFF", pages), (rgb, "TIFF", {"compression": "tiff_lzw"})),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (rgba, "TIFF", {"big_tiff": True}),
        *((grey.convert("F"), "TIFF", {}), (rgb, "TIFF", {"compression": "jpeg"})),
        (rgb, "TIFF", {"compression": "tiff_adobe_deflate", "exif": exif}),
    ]  # fmt: skip
    made = []
    for picture, kind, options in kinds:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        made.append(buffer.getvalue())
    return made


def decoding(folder: Path) -> Callable[[bytes], str]:
    path = folder / "picture"
    claimed = image(path=str(path))

    def run(data: bytes) -> str:
        path.write_bytes(data)
        try:
            frames = decode(claimed, SMALL)
        except ImageError as error:
            assert str(error).isprintable(), "a reason is one line"
            return "refused"
        assert frames
        assert sum(frame.pixels.shape[0] * frame.pixels.shape[1] for frame in frames) <= 1e6
        return "read"

    return run


def ending(folder: Path) -> Callable[[bytes], str]:
    path = folder / "ending"

    def run(data: bytes) -> str:
        path.write_bytes(data)
        return {True: "whole", False: "not yet", None: "unknown"}[looks_complete(path)]

    return run


YAML_WORDS = [
    *(b": ", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"!!python/object:os.system ", b"<<: "),
    *(b"null", b".inf", b".nan", b"1e999", b"0x", b"2026-13-45", b"---\n", b"? ", b"|\n"),
    b"!!binary ",
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b[2J", b'"\\ud800"', b"'", b'"', b"\t", b"[" * 300),
    *(b"(?P<a>", b"{2,99999999}", b"[A-", b"|||", b"\\d", b"(((((", b"]*)*", b"10?", b"%99s"),
]  # fmt: skip
SETTINGS = [
    b"station: st-1\nlog: {level: info, style: json}\n",
    b"sinks:\n  mqtt: {host: broker, port: 1884, tls: {ca_file: ca.pem}}\n  csv: null\n",
    b"sources: {folder: {inbox: /mnt/x, suffixes: [png, jpg]}}\nintake: {max_in_flight: 3}\n",
    b"cluster: {address: 'tls://h:1', tls: {ca_file: a, cert_file: b}}\ndecode: {max_pages: 3}\n",
    b"sinks:\n  a: {use: csv, after: b}\n  b: {use: parquet, statuses: [read], cameras: [x]}\n",
]
RECIPES = [
    b"description: x\nfields:\n  - name: code\n    map: {case: upper, format: '[A-Z]{2}\\d{6}'}\n",
    b"preprocess:\n  - crop: {left_px: 3}\n  - clahe: {clip_limit: 2, tiles: 8}\n  - invert: {}\n",
    b"fields:\n  - detect: {use: neural, margin: 0.1}\n    threshold: 0.8\n    take: all\n",
    b"fields: [{map: {gs1: ['01', '17', '10?']}, duplicate_hours: 24, expected: null}]\n",
    b"fields: [{map: {format: '(?P<a>\\d{4})', check_digits: [{scheme: luhn, over: [a]}]}}]\n",
]


def loading_settings(root: Path) -> Callable[[bytes], str]:
    (root / "conf").mkdir(parents=True)

    def run(data: bytes) -> str:
        (root / "conf" / "markwatch.yaml").write_bytes(data)
        try:
            settings.load(root)
        except ConfigError:
            return "refused"
        return "loaded"

    return run


def loading_recipe(root: Path) -> Callable[[bytes], str]:
    layout = Layout(root)
    layout.recipes.mkdir(parents=True)
    path = layout.recipes / "default.yaml"

    def run(data: bytes) -> str:
        path.write_bytes(data)
        try:
            recipes.load(layout, "default", RECOGNISER)
        except ConfigError:
            return "refused"
        return "loaded"

    return run


def revising(data: bytes) -> str:
    """A recipe's text from a browser, into which the form's values are laid."""
    text = data.decode("utf-8", "replace")
    wanted = [{"crop": {"box_px": [0, 0, 9, 9]}}]
    try:
        found, kept = revised(text, {**parse_layer(text, "t").values, "preprocess": wanted})
    except ConfigError:
        return "refused"
    assert parse_layer(found, "t").values["preprocess"] == wanted
    return "changed in place" if kept else "written anew"


VARIABLES = [
    b"MARKWATCH__SINKS__MQTT__PORT=1884",
    b'MARKWATCH__SINKS={"mqtt": null, "a": {"use": "csv"}}',
    b"MARKWATCH__SINKS__MQTT__TLS__KEY_PASSWORD=x",
    b"MARKWATCH__DECODE__MAX_PAGES=null\nMARKWATCH__DECODE=3",
]


def from_environment(data: bytes) -> str:
    pairs = (line.partition(b"=") for line in data.replace(b"\0", b"").split(b"\n"))
    found = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
    try:
        settings.from_environment(found)
    except ConfigError:
        return "refused"
    return "loaded"


DELAYS = ("seconds", "typical_seconds", "events_seconds", "scan_seconds", "late_seconds")
LEDGER_WORDS = [b"CREATE TABLE", b"SQLite format 3\0", b"\xff\xff\xff\x7f", b"NULL", b"{}", b"[[["]
_ROOTS: dict[Path, tuple[Path, bytes]] = {}


def _root(folder: Path) -> tuple[Path, bytes]:
    """A root that was watched, and its ledger."""
    if folder not in _ROOTS:
        root = folder / "root"
        site.init(root)
        layout = Layout(root)
        with Ledger(layout.ledger, Clock(), root=layout.root) as opened:
            for sink in ("mqtt", "csv", "parquet"):
                opened.places.open(sink, "first")
            for number in range(1, 9):
                one = failure(number) if number % 4 == 0 else report(number)
                work = f"data/work/{number}"
                opened.intend([Claim(one.image.id, "/gone", work, "cam", one.image.name, 1, 1)])
                opened.claimed([one.image])
                if number < 8:
                    opened.commit([Outcome(one, f"data/archive/{number}")], "st")
            opened.set_conditions({"recipe x": "is wrong"})
            opened.places.sink_failed("csv", "no space left")
            opened.places.open("old", "first")
            opened.forgetting.forget("old")
            opened.canaries.begin("folder", "/gone/canary.png")
            opened.canaries.tell("folder", Clock()(), **dict.fromkeys(DELAYS, 0.5))
        with contextlib.closing(sqlite3.connect(layout.ledger)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
        _ROOTS[folder] = root, layout.ledger.read_bytes()
    return _ROOTS[folder]


def ledger(folder: Path) -> bytes:
    return _root(folder)[1]


def reading(folder: Path) -> Callable[[bytes], str]:
    root, _ = _root(folder)
    path = Layout(root).ledger

    def run(data: bytes) -> str:
        for beside in path.parent.glob("ledger.sqlite-*"):
            beside.unlink()
        path.write_bytes(data)
        return _shown(root)

    return run


def _shown(root: Path) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            status.show(root, as_json=False)
            status.show(root, as_json=True)
        except ConfigError as error:
            assert "\n" not in str(error)
            return "refused"
    assert "\x1b" not in said.getvalue(), "a cell steers the terminal"
    return "shown"


# Which cell becomes what: the numbers choose among the tables, columns and values that there are.
CELLS = [bytes(range(10)), bytes(range(200, 255)), b"\x03\x01\x04\x01\x05\x09\x02\x06"]
CELL_WORDS = [bytes([number]) * 3 for number in range(0, 256, 17)]
VALUES = (
    *(None, "", "x", "2026-13-45", "{}", "[1", "null", "\x1b[2J", "9" * 400, "é\ud7ff", "-1"),
    *(-1, 0, 1, 2**63 - 1, -(2**63), 1e308, float("inf"), b"", b"\xff\xfe", b"\0" * 50, 3.5),
)


def cell(folder: Path) -> Callable[[bytes], str]:
    root, good = _root(folder)
    path = Layout(root).ledger
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = [
            (name, [column[1] for column in db.execute(f"PRAGMA table_info({name})")])
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")
            if not name.startswith("sqlite_")
        ]

    def run(data: bytes) -> str:
        for beside in path.parent.glob("ledger.sqlite-*"):
            beside.unlink()
        path.write_bytes(good)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=OFF")
            db.execute("PRAGMA ignore_check_constraints=1")
            for at in range(0, min(len(data), 12) - 2, 3):
                name, columns = tables[data[at] % len(tables)]
                column = columns[data[at + 1] % len(columns)]
                value = VALUES[data[at + 2] % len(VALUES)]
                with contextlib.suppress(sqlite3.Error, UnicodeEncodeError):
                    db.execute(f"UPDATE {name} SET {column}=?", (value,))
        return _shown(root)

    return run


EXPECTED = [b"KX204817\n", "\ufeffÄ1\r\n".encode()]


def sidecar(folder: Path) -> Callable[[bytes], str]:
    path = folder / "part.png"
    beside = folder / f"part.png{SUFFIX}"

    def run(data: bytes) -> str:
        beside.write_bytes(data)
        code = expected_of(path)
        assert code is None or (code.isprintable() and len(code) <= 4096)
        return "none" if code is None else "a code"

    return run


PACKETS = [
    b"\x10\x0f\0\4MQTT\4\2\0\x1e\0\3abc",
    b"\x10\x14\0\4MQTT\5\2\0\x1e\5\x11\0\0\0\0\0\3abc",
    b"\x10\x80\x80\x01\0\4MQTT\4" + bytes(200),
]


def admitting(data: bytes) -> str:
    async def first() -> tuple[bytes, int]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await _opening(reader)

    try:
        seen, level = asyncio.run(first())
    except (ValueError, asyncio.IncompleteReadError):
        return "refused"
    assert data.startswith(seen) and 0 <= level < 256
    return "admitted"
