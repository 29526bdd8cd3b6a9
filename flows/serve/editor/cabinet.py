"""The recipe files as the editor reads and writes them: tagged, replaced whole, the old one kept.

A recipe is written only by who has seen what it replaces: its tag is that of the bytes (RFC 9110,
If-Match). What was replaced lies in `conf/recipes/history/`, where the recipe book does not look.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.configuration.settings import Layout
from flows.files import durable
from flows.files.filenames import for_file
from flows.files.opening import open_regular
from flows.serve.problems import RefusedError

HISTORY = "history"
MOST_BYTES = 64 * 1024
_MOST_EARLIER = 100
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_STAMPED = re.compile(r"\d{8}T\d{6}\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Written:
    """A recipe's file as it is now: its text, and the tag by which it may be replaced."""

    text: str
    tag: str


class Cabinet:
    """The recipes of a root. Blocks; safe to use from several threads."""

    def __init__(self, layout: Layout, now: Callable[[], datetime]) -> None:
        self._layout = layout
        self._now = now
        self._writing = threading.Lock()

    @staticmethod
    def check_name(camera: str) -> None:
        """Let a name pass that can be that of a recipe's file.

        Raises:
            RefusedError: it cannot.
        """
        if camera != for_file(camera) or camera.startswith(".") or camera.endswith(".example"):
            raise RefusedError(
                422,
                "camera-name",
                f"{camera[:80]!r} is no camera's name",
                "write letters, digits, '-', '_' and inner dots",
            )

    def read(self, camera: str) -> Written | None:
        """The camera's own recipe; None where it has none.

        Raises:
            RefusedError: it cannot be read, or is no text.
        """
        content = self._content(camera)
        return None if content is None else Written(_text(content, camera), _tag(content))

    def replace(self, camera: str, text: str, tag: str | None) -> tuple[Written, str | None]:
        """Put a text in the place of the one that has this tag; None where there is to be none yet.

        Returns what is there now, and the moment under which the old one is kept. On return both
        survive a power cut.

        Raises:
            RefusedError: somebody else has written meanwhile, or the disk refuses.
        """
        path, content = self._path(camera), text.encode()
        with self._writing:
            old = self._content(camera)
            if (None if old is None else _tag(old)) != tag:
                raise _changed(camera, gone=old is None)
            if old == content:
                return Written(text, _tag(content)), None
            stamp = None if old is None else self._now().astimezone(UTC).strftime(_STAMP)
            try:
                if old is not None and stamp is not None:
                    folder = self._layout.recipes / HISTORY
                    durable.make_folder(folder)
                    durable.write_new(folder / f"{camera}-{stamp}.yaml", old)
                durable.write_over(path, content)
            except OSError as error:
                raise _refused(error, self._layout.label(path)) from error
        return Written(text, _tag(content)), stamp

    def earlier(self, camera: str) -> list[str]:
        """The moments until which earlier texts of a recipe held, newest first."""
        begin = f"{camera}-"
        found = (
            path.stem.removeprefix(begin)
            for path in (self._layout.recipes / HISTORY).glob("*.yaml")
            if path.name.startswith(begin)
        )
        return sorted(filter(_STAMPED.fullmatch, found), reverse=True)[:_MOST_EARLIER]

    def earlier_text(self, camera: str, stamp: str) -> str:
        """An earlier text.

        Raises:
            RefusedError: there is none of that moment.
        """
        path = self._layout.recipes / HISTORY / f"{camera}-{stamp}.yaml"
        try:
            if _STAMPED.fullmatch(stamp):
                with open_regular(path) as file:
                    return _text(file.read(MOST_BYTES + 1), camera)
        except OSError:
            pass
        raise RefusedError(
            404,
            "unknown-version",
            f"no recipe of {camera} is kept from {stamp[:40]!r}",
            f"see GET /v1/recipes/{camera}/earlier",
        )

    def _path(self, camera: str) -> Path:
        self.check_name(camera)
        return self._layout.recipes / f"{camera}.yaml"

    def _content(self, camera: str) -> bytes | None:
        path = self._path(camera)
        try:
            with open_regular(path) as file:
                content = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused(error, self._layout.label(path)) from error
        if len(content) > MOST_BYTES:
            raise RefusedError(
                409,
                "not-editable",
                f"{self._layout.label(path)} is larger than {MOST_BYTES // 1024} KiB",
                "edit the file itself",
            )
        return content


def _text(content: bytes, camera: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            409, "not-editable", f"the recipe of {camera} is no UTF-8 text", "edit the file itself"
        ) from error


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _changed(camera: str, *, gone: bool) -> RefusedError:
    what = "was removed" if gone else "was written by somebody else"
    return RefusedError(
        412,
        "changed-meanwhile",
        f"the recipe of {camera} {what} since you opened it",
        f"GET /v1/recipes/{camera} and compare; then save with its new tag",
    )


def _refused(error: OSError, label: str) -> RefusedError:
    status = 507 if error.errno in durable.FULL else 409
    words = error.strerror or str(error)
    return RefusedError(status, "not-editable", f"{label}: {words}", durable.remedy(error, label))
