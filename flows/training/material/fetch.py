"""Set-up of training: fetch fonts and photographed surfaces of open licence into a folder.

`python -m flows.training.material.fetch FOLDER` fills `fonts/`, `textures/`, `licences/` and
`material.csv` there. Fonts come from npm (`@fontsource/*`) and Debian packages, surfaces from
Debian packages; nothing is installed and no root is needed. What is there already is not fetched
again. Nothing of it is committed or shipped; the manifest says what the model card must name.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path, PurePosixPath

from PIL import Image, ImageFont
from rich.console import Console

from flows.training.material.families import DEBIAN, NPM, TEXTURES, DebianFamily, Kind
from flows.training.material.photographs import photographs
from stages.errors import ConfigError, MarkwatchError

MANIFEST = "material.csv"
TEXTURE = "texture"

_FACE = re.compile(r".+-latin-(\d{3})-(normal|italic)\.woff2")
_OTHER_SCRIPT = re.compile(r"-(ISO8859|KOI8|JISX)|rk\.")
_MANY_WEIGHTS = {Kind.SANS, Kind.CONDENSED, Kind.MONO, Kind.TECHNICAL, Kind.DRAFTING, Kind.STENCIL}
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """One file of the folder: a row of the manifest. `file` is relative to the folder."""

    kind: str
    family: str
    file: str
    licence: str
    source: str


def manifest(folder: Path) -> list[Piece]:
    """The rows of a folder's manifest whose files are there; none where there is no manifest.

    Raises:
        ConfigError: the manifest is not one that this module wrote.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != [field.name for field in fields(Piece)]:
        raise ConfigError(f"{path}: not a manifest of training material; delete it, fetch again")
    return [piece for row in rows[1:] if (folder / (piece := Piece(*row)).file).is_file()]


def fetch(folder: Path, say: Callable[[str], None], workers: int = 4) -> list[Piece]:
    """Fetch what is not there yet and return the manifest; `say` takes lines of progress.

    A family that its registry does not have is skipped, and named at the end.

    Raises:
        ConfigError: a tool (npm, apt-get, dpkg-deb) is missing or nothing at all could be fetched.
    """
    _require("npm", "apt-get", "dpkg-deb")
    for name in ("fonts", "textures", "licences"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    pieces = manifest(folder)
    there = {piece.source for piece in pieces}
    jobs = {source: job for source, job in _jobs(folder) if source not in there}
    missing = []
    with (
        tempfile.TemporaryDirectory(prefix="markwatch-material-") as scratch,
        ThreadPoolExecutor(workers) as pool,
    ):
        running = {pool.submit(_alone, job, Path(scratch)): source for source, job in jobs.items()}
        for number, done in enumerate(as_completed(running), 1):
            source, found = running[done], done.result()
            if not found:
                missing.append(source)
            pieces += found
            _write(folder, pieces)
            say(f"{number}/{len(jobs)} {source}: {len(found)} files")
    if not pieces:
        raise ConfigError("no registry gave anything; check the network and `apt-get update`")
    if missing:
        say(f"not there: {', '.join(sorted(missing))}")
    return sorted(pieces)


def _jobs(folder: Path) -> Iterator[tuple[str, Callable[[Path], list[Piece]]]]:
    """Each package as `registry:name`, with what fetches it by way of a scratch folder.

    The textures come first, being the longest.
    """
    for package in TEXTURES:
        yield f"debian:{package}", partial(_debian_textures, folder, package)
    for package in dict.fromkeys(family.package for family in DEBIAN):
        families = tuple(family for family in DEBIAN if family.package == package)
        yield f"debian:{package}", partial(_debian_fonts, folder, package, families)
    for kind, names in NPM.items():
        for family in names:
            yield f"npm:@fontsource/{family}", partial(_npm_family, folder, family, kind)


def _alone(job: Callable[[Path], list[Piece]], scratch: Path) -> list[Piece]:
    with tempfile.TemporaryDirectory(dir=scratch) as own:
        return job(Path(own))


def _require(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            raise ConfigError(
                f"`{tool}` is missing; fetch the material on Debian or Ubuntu with it"
            )


def _write(folder: Path, pieces: Sequence[Piece]) -> None:
    unfinished = folder / f"{MANIFEST}.partial"
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Piece))
        writer.writerows(astuple(piece) for piece in sorted(pieces))
    unfinished.replace(folder / MANIFEST)


def _command(words: Sequence[str], cwd: Path) -> bool:
    """Whether the command ended well in one of a few attempts."""
    return any(
        subprocess.run(words, cwd=cwd, capture_output=True, check=False).returncode == 0
        for _ in range(_ATTEMPTS)
    )


def _stays_inside(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return member.isfile() and not path.is_absolute() and ".." not in path.parts


def _npm_family(folder: Path, family: str, kind: Kind, scratch: Path) -> list[Piece]:
    package = f"@fontsource/{family}"
    if not _command(["npm", "pack", "--silent", package], scratch):
        return []
    with tarfile.open(next(scratch.glob("*.tgz"))) as archive:
        # The filter came with Python 3.11.4; Debian 12 has 3.11.2.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(scratch, [one for one in archive if _stays_inside(one)], **safe)
    unpacked = scratch / "package"
    licence = json.loads((unpacked / "package.json").read_text("utf-8")).get("license", "unknown")
    if (unpacked / "LICENSE").is_file():
        shutil.copyfile(unpacked / "LICENSE", folder / "licences" / f"fontsource-{family}.txt")
    pieces = []
    for face in _weights(sorted((unpacked / "files").glob("*.woff2")), kind):
        if _opens(face):
            shutil.copyfile(face, folder / "fonts" / face.name)
            pieces.append(Piece(kind, family, f"fonts/{face.name}", licence, f"npm:{package}"))
    return pieces


def _weights(faces: Sequence[Path], kind: Kind) -> Iterator[Path]:
    """Regular and bold, or what is nearest; kinds that marks use most also light, black, italic."""
    by_weight: dict[int, Path] = {}
    for face in faces:
        match = _FACE.fullmatch(face.name)
        if match and match[2] == "normal":
            by_weight[int(match[1])] = face
        elif match and int(match[1]) == 400 and kind in _MANY_WEIGHTS:
            yield face
    wanted = (300, 400, 700, 900) if kind in _MANY_WEIGHTS else (400, 700)
    nearest = {
        min(by_weight, key=lambda each: abs(each - weight)) for weight in wanted if by_weight
    }
    yield from (by_weight[weight] for weight in sorted(nearest))


def _opens(path: Path) -> bool:
    try:
        ImageFont.truetype(str(path), 32).getbbox("0A")
    except (OSError, ValueError):
        return path.name.endswith(".pcf.gz")
    return True


def _unpack(scratch: Path, folder: Path, package: str) -> Path | None:
    """The unpacked tree of a Debian package; None where apt does not know it."""
    if not _command(["apt-get", "download", package], scratch):
        return None
    tree = scratch / "tree"
    if not _command(["dpkg-deb", "-x", str(next(scratch.glob("*.deb"))), str(tree)], scratch):
        return None
    notice = tree / "usr/share/doc" / package / "copyright"
    if notice.is_file():
        shutil.copyfile(notice, folder / "licences" / f"{package}.txt")
    return tree


def _debian_fonts(
    folder: Path, package: str, families: Sequence[DebianFamily], scratch: Path
) -> list[Piece]:
    tree = _unpack(scratch, folder, package)
    if tree is None:
        return []
    licences = Licences(folder / "licences" / f"{package}.txt")
    pieces = []
    for face in sorted(tree.rglob("*")):
        family = next((each for each in families if fnmatch.fnmatch(face.name, each.pattern)), None)
        is_font = face.name.endswith((".ttf", ".otf", ".pcf.gz")) and not _OTHER_SCRIPT.search(
            face.name
        )
        if family and is_font and not face.is_symlink() and _opens(face):
            name = f"{family.family}-{face.name}".replace(" ", "-")
            shutil.copyfile(face, folder / "fonts" / name)
            licence, source = licences.of(face.name), f"debian:{package}"
            pieces.append(Piece(family.kind, family.family, f"fonts/{name}", licence, source))
    return pieces


def _debian_textures(folder: Path, package: str, scratch: Path) -> list[Piece]:
    tree = _unpack(scratch, folder, package)
    if tree is None:
        return []
    licences = Licences(folder / "licences" / f"{package}.txt")
    pieces = []
    for path in sorted(tree.rglob("*.pk3")):
        for photograph in photographs(path):
            file = f"textures/{package}-{_slug(photograph.name)}.png"
            Image.fromarray(photograph.pixels).save(folder / file)
            licence, source = licences.of(photograph.name), f"debian:{package}"
            pieces.append(Piece(TEXTURE, package, file, licence, source))
    return pieces


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", str(Path(name).with_suffix("")).lower()).strip("-")


class Licences:
    """A Debian package's notice, asked for the licence of one file.

    Source: Debian's machine-readable copyright format 1.0; a notice in free text is searched for
    the common licence that it points to.
    """

    def __init__(self, notice: Path) -> None:
        text = notice.read_text("utf-8", errors="replace") if notice.is_file() else ""
        self._stanzas: list[tuple[list[str], str]] = []
        for stanza in re.split(r"\n\s*\n", text):
            files = re.search(r"^Files:(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
            licence = re.search(r"^License:[ \t]*(\S.*)", stanza, re.MULTILINE)
            if files and licence:
                self._stanzas.append((files[1].split(), licence[1].strip()))
        common = re.search(r"common-licenses/([\w.+-]*\w)", text)
        self._fallback = common[1] if common else f"see licences/{notice.name}"

    def of(self, name: str) -> str:
        """The licence of the file whose path ends so; the last stanza that matches counts."""
        for patterns, licence in reversed(self._stanzas):
            if any(
                each == "*" or each.endswith(name) or fnmatch.fnmatch(name, each)
                for each in patterns
            ):
                return licence
        return self._fallback


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="flows.training.material.fetch", description=fetch.__doc__
    )
    parser.add_argument("folder", type=Path, help="where fonts/ and textures/ go")
    parser.add_argument("--workers", type=int, default=4, help="packages fetched at once")
    given = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        pieces = fetch(given.folder, console.print, given.workers)
    except MarkwatchError as error:
        Console(stderr=True).print(f"error: {error}")
        return error.exit_code
    families = {piece.family for piece in pieces if piece.kind != TEXTURE}
    textures = sum(piece.kind == TEXTURE for piece in pieces)
    console.print(
        f"{len(pieces) - textures} faces of {len(families)} families, {textures} textures in "
        f"{given.folder}{os.sep}{MANIFEST}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
