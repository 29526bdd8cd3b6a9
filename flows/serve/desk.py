"""The one place that submits pictures; its `reports` tell what was read of them.

A picture is written aside in its camera's folder of the inbox, forced to disk with the code that is
expected on it, and renamed: from there on it goes the way of any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from flows.care.sightings import is_canary
from flows.configuration import recipes
from flows.configuration.choices import SourceChoice
from flows.configuration.settings import Layout, Settings
from flows.files import durable
from flows.files.filenames import for_file, printable
from flows.files.opening import without_links
from flows.files.sidecar import MOST_BYTES, SUFFIX, announce
from flows.serve.problems import RefusedError
from flows.serve.reports import Reports, Ticket
from flows.sources.folder import FolderOptions, FolderSource
from flows.sources.names import LOOSE_CAMERA, Names
from stages.errors import ConfigError

_STAGED = ".upload-"
_STEM_BYTES = 120
_COPY_BYTES = 1 << 20
_HEAD_BYTES = 12
_ENDINGS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"BM"), ".bmp"),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), ".tif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
)


class Desk:
    """Takes pictures for a root's inbox, and tells who waits what was read.

    Raises:
        ConfigError: no folder source, or not the one that `serve.source` names.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        self._new_cameras = settings.serve.new_cameras
        self._mark = f"{_STAGED}{secrets.token_hex(4)}-"
        options = _source(settings)
        self._inbox = Path(os.path.realpath(layout.root / options.inbox))
        self._names = Names(str(self._inbox), options.suffixes, options.ignore)
        self.reports = Reports(settings.serve.trigger.recent_seconds)
        self.draining = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on this loop, and let what uploads of an earlier run left behind be removed."""
        self.reports.open(loop)
        loop.run_in_executor(None, self._clear)

    def _clear(self) -> None:
        """Remove what was cut short; not on the loop, for a share may not answer."""
        for staged in self._inbox.glob(f"*/{_STAGED}*-*{durable.PART}"):
            if staged.name.startswith(self._mark):
                continue
            final = staged.name.removeprefix(_STAGED).removesuffix(durable.PART).partition("-")[2]
            # Its folder may belong to another account; then it stays, and nothing reads it.
            with contextlib.suppress(OSError):
                staged.with_name(final + SUFFIX).unlink(missing_ok=True)
                staged.unlink()

    def camera(self, camera: str | None, recipe: str | None = None) -> str:
        """The camera that is meant, by its own name or by that of its recipe. Blocks.

        Raises:
            RefusedError: it is not known, cannot be a folder, or the two disagree.
        """
        if recipe is not None:
            if recipe not in {recipes.DEFAULT, *recipes.names(self._layout)}:
                raise RefusedError(
                    404,
                    "unknown-recipe",
                    f"there is no recipe {recipe!r}",
                    f"use one of {', '.join(recipes.names(self._layout)) or 'default'}",
                )
            if camera not in (None, recipe):
                raise RefusedError(
                    422,
                    "camera-and-recipe",
                    f"camera {camera!r} and recipe {recipe!r} are both given",
                    "a camera's recipe is the one of its name: give one of the two",
                )
        name = camera or recipe or LOOSE_CAMERA
        if name != for_file(name) or self._names.ignores(name) or len(os.fsencode(name)) > 200:
            raise RefusedError(
                422,
                "camera-name",
                f"{name!r} is no camera's name",
                "write letters, digits, '-', '_' and inner dots",
            )
        if not (self._new_cameras or name in self.cameras()):
            raise RefusedError(
                404,
                "unknown-camera",
                f"there is no camera {name!r}",
                "use one of "
                + ", ".join(sorted(self.cameras())[:20])
                + f"; a new one wants conf/recipes/{name}.yaml or a folder in the inbox",
            )
        return name

    def cameras(self) -> set[str]:
        """The cameras that have a recipe or a folder in the inbox. Blocks."""
        known = {LOOSE_CAMERA, *recipes.names(self._layout)}
        with contextlib.suppress(OSError), os.scandir(self._inbox) as listing:
            known |= {
                printable(entry.name)
                for entry in listing
                if entry.is_dir(follow_symlinks=False) and not self._names.ignores(entry.name)
            }
        return known

    def submit(self, ticket: Ticket, content: BinaryIO, expected: str | None) -> None:
        """Put a picture into the inbox; on return it survives a power cut. Blocks.

        Raises:
            RefusedError: the inbox cannot take it.
        """
        path = self._inbox / ticket.camera / ticket.image
        try:
            durable.make_folder(path.parent)
            with without_links(path) as target:
                self._write(target, content, expected)
        except OSError as error:
            status = 507 if error.errno in durable.FULL else 503
            words = printable(error.strerror or str(error))
            raise RefusedError(
                status,
                "inbox-away",
                f"the inbox cannot take the picture: {words}",
                durable.remedy(error, self._layout.label(path.parent)),
                {"Retry-After": "10"},
            ) from error

    def _write(self, target: Path, content: BinaryIO, expected: str | None) -> None:
        staged = target.with_name(f"{self._mark}{target.name}{durable.PART}")
        sidecar = target.with_name(target.name + SUFFIX)
        try:
            with staged.open("xb") as file:
                shutil.copyfileobj(content, file, _COPY_BYTES)
                file.flush()
                os.fsync(file.fileno())
            if expected is not None:
                durable.write_new(sidecar, expected.encode())
            durable.move_away(staged, target)
        except BaseException:
            for path in (staged, sidecar):
                with contextlib.suppress(OSError):
                    path.unlink()
            raise
        durable.fsync_directory(target.parent)

    def ticket(self, camera: str, name: str | None, head: bytes) -> Ticket:
        """A name of its own for a picture that begins with `head`; `name` only lends its stem.

        Raises:
            RefusedError: it is no picture, or the source passes over such names.
        """
        if self.draining:
            raise RefusedError(
                503, "stopping", "the station stops", "send it again later", {"Retry-After": "30"}
            )
        ending = next((ending for mark, ending in _ENDINGS if mark.match(head)), None)
        if ending is None:
            raise RefusedError(
                422,
                "no-picture",
                "this does not begin like a picture" if head else "there is no picture in it",
                "send a whole BMP, PNG, JPEG, TIFF or WebP file, or its bytes in base64",
            )
        stem = Path(re.split(r"[/\\]", name or "")[-1]).stem
        stem = for_file(stem or "upload").encode()[:_STEM_BYTES].decode("utf-8", "ignore")
        image = f"{stem}.{secrets.token_hex(6)}{ending}"
        if is_canary(image) or not self._names.wants(str(self._inbox / camera / image)):
            raise RefusedError(
                422,
                "ignored-name",
                f"the source passes over {image}",
                "add the ending to its `suffixes`, or take the name off its `ignore`",
            )
        return Ticket(camera, image)

    @staticmethod
    def expected(text: str | None) -> str | None:
        """The code to be expected, as it may lie beside a picture; None without one.

        Raises:
            RefusedError: it is no code.
        """
        if text is None:
            return None
        code = text.strip()
        if not code or printable(code) != code or len(code.encode()) >= MOST_BYTES:
            raise RefusedError(
                422,
                "expected-code",
                f"{text[:80]!r} is no code",
                "give one line of printable text, or leave `expected` out",
            )
        return code

    def announce(self, camera: str, code: str) -> None:
        """Let the next picture of this camera be expected to show this code. Blocks."""
        announce(self._layout.state, camera, code)


def head_of(content: BinaryIO) -> bytes:
    """The bytes that tell what kind of file it is; the file stands at its beginning after."""
    head = content.read(_HEAD_BYTES)
    content.seek(0)
    return head


def _source(settings: Settings) -> FolderOptions:
    """The options of the source whose inbox takes uploads."""
    folders = {
        name: choice
        for name, choice in settings.sources.items()
        if issubclass(choice.plugin, FolderSource)
    }
    wanted = settings.serve.source
    if wanted is not None and wanted not in folders:
        raise ConfigError(
            f"serve.source: no folder source is called {wanted!r}: {', '.join(folders) or 'none'}"
        )
    if not folders:
        raise ConfigError("serve wants a source `folder`, whose inbox takes the uploads: set one")
    choice: SourceChoice = folders[wanted] if wanted else next(iter(folders.values()))
    options = choice.options
    assert isinstance(options, FolderOptions)
    return options
