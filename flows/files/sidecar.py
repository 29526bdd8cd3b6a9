"""The file beside a picture that names the code expected on the part: `part.png.expected`.

Its first line is the code, in UTF-8. It must be there before the picture is (a camera that renames
the picture in last does that). The claim renames it into `work/` just before its picture, under
that picture's name there, so whatever crash comes between, it is never the next part's; it is
removed once the ledger has the code.

A code may also be announced for the next picture of a camera, whatever its name will be
(docs/trigger.md). It waits in `data/state/` for a picture that brings no code of its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

import structlog

from flows.files import durable
from flows.files.filenames import for_file, printable
from flows.files.opening import open_regular

SUFFIX = ".expected"
MOST_BYTES = 1024

_log = structlog.get_logger("markwatch.intake")


def take_sidecar(picture: str | Path, work: Path, announced: Path) -> None:
    """Rename the file beside a picture to that beside its name in `work/`, where there is one.

    Where there is none, what was `announced` is taken, if there is any.

    Raises:
        OSError: it cannot be moved; the picture must wait, or its part would pass unverified.
    """
    for place in (_beside(picture), announced):
        try:
            durable.move_away(place, _beside(work))
        except FileNotFoundError:
            continue
        except OSError as error:
            # Beside so long a name no file can be: there is none.
            if error.errno != errno.ENAMETOOLONG:
                raise
        else:
            return


def announced_at(state: Path, camera: str) -> Path:
    """Where the code waits that was announced for the next picture of a camera.

    Only cameras whose name is that of a file have one: two must not meet in it.
    """
    name = camera if camera == for_file(camera) else ""
    return state / "expected" / f"{name}{SUFFIX}"


def announce(state: Path, camera: str, code: str) -> None:
    """Let the next picture of a camera be expected to show this code, instead of any before it.

    Raises:
        OSError: it cannot be kept.
    """
    place = announced_at(state, camera)
    durable.make_folder(place.parent)
    staged = place.with_name(f".{secrets.token_hex(8)}{durable.PART}")
    try:
        durable.write_new(staged, code.encode())
        os.replace(staged, place)
    finally:
        staged.unlink(missing_ok=True)
    durable.fsync_directory(place.parent)


def give_back_sidecar(picture: str | Path, work: Path, *, is_same: bool) -> None:
    """Undo `take_sidecar` for a picture that was not claimed after all.

    Where another one has come under its name (not `is_same`), or another code, it is dropped.
    """
    try:
        if is_same:
            with contextlib.suppress(FileExistsError):
                durable.move_new(_beside(work), _beside(picture))
        os.unlink(_beside(work))
    except FileNotFoundError:
        return
    except OSError as error:
        _warn("cannot give back the expected code", work, error)


def expected_of(work: Path) -> str | None:
    """The code that the file beside a claimed picture names; None without one, or an empty one."""
    try:
        with open_regular(_beside(work)) as file:
            content = file.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn("cannot read the expected code", work, error)
        return None
    # bytes that are no UTF-8 match no code, so the part is not passed unseen
    lines = content.decode("utf-8-sig", "replace").strip().splitlines()
    return printable(lines[0].strip()) or None if lines else None


def remove_sidecar(work: Path) -> None:
    """Remove the file beside a claimed picture, once the ledger has its code."""
    try:
        os.unlink(_beside(work))
    except FileNotFoundError:
        return
    except OSError as error:
        _warn("cannot remove the expected code", work, error)


def _beside(path: str | Path) -> str:
    return f"{os.fspath(path)}{SUFFIX}"


def _warn(event: str, path: Path, error: OSError) -> None:
    _log.warning(event, path=_beside(path), error=error.strerror)
