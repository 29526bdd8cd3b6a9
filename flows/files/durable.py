"""Files that survive a power cut: the only module that knows how a file system keeps its word.

A file is durable once its bytes and its folder's entry are on disk; a rename is whole or not there.
What one platform does not offer (fsync of a folder on Windows, hard links on many network shares)
is done without there, so the rest of the project stays free of such cases.
Method: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

PART = ".part"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def fsync_file(path: str | os.PathLike[str]) -> None:
    """Force a file's bytes to disk.

    Raises:
        OSError: the file cannot be opened, or the disk refused.
    """
    # Windows flushes only through a handle that may write.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_directory(path: str | os.PathLike[str]) -> None:
    """Force a folder's entries to disk, where the platform and the file system can.

    Raises:
        OSError: the folder is gone, or the disk refused.
    """
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and FUSE file systems have no fsync for a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and its parents so that a power cut does not take them back.

    Raises:
        OSError: a folder cannot be made.
    """
    missing = []
    folder = Path(path)
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        fsync_directory(folder.parent)


def move_new(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename a file to a name that must not exist yet; a file at `target` is never overwritten.

    Across file systems the bytes are copied beside the target, compared and renamed, and only then
    is the source removed. A crash may leave the file at both names, never at none; calling again
    finishes the move. The target's folder is not fsynced: `move_all_new` is for what must survive
    a power cut.

    Raises:
        FileExistsError: another file is at `target`.
        OSError: the move failed; the source is still there.
    """
    if _name_new(source, target):
        _remove(source, target)


def move_all_new(moves: Iterable[tuple[Path, Path]]) -> dict[Path, OSError]:
    """`move_new` for many (source, target), so that a power cut leaves each at one name at least.

    All are named anew, then the targets' folders are fsynced, then the old names go: a file system
    may take the removal of a name to disk before the making of another in a different folder. A
    source that is gone while its target is there was moved before; its folder is fsynced again.
    Returns what went wrong, by source.
    """
    failed: dict[Path, OSError] = {}
    named: list[tuple[Path, Path, bool]] = []
    for source, target in moves:
        try:
            moved = not os.path.lexists(source) and os.path.lexists(target)
            named.append((source, target, not moved and _name_new(source, target)))
        except OSError as error:
            failed[source] = error
    unsure: dict[Path, OSError] = {}
    for folder in {target.parent for _, target, _ in named}:
        try:
            fsync_directory(folder)
        except OSError as error:
            unsure[folder] = error
    for source, target, twice in named:
        if target.parent in unsure:
            failed[source] = unsure[target.parent]
            continue
        try:
            if twice:
                _remove(source, target)
        except OSError as error:
            failed[source] = error
    return failed


def _name_new(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> bool:
    """Give a file a second name, or where links are not to be had, a new one for the old.

    Returns whether the old name is still to be removed.
    """
    if os.name == "nt":
        try:
            os.rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV and getattr(error, "winerror", None) != 17:
                raise
            _copy_across(source, target)
        return False
    try:
        os.link(source, target)
    except FileExistsError:
        if not os.path.samefile(source, target):
            raise
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy_across(source, target)
            return False
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        os.rename(source, target)
        return False
    return True


def move_away(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Take whatever file has a name that others may use again, to a name that only we make.

    One rename, because between a link and an unlink another file may be renamed over `source`, and
    that one would be lost. Across file systems the bytes are copied as in `move_new`, and a file
    that has since come to `source` is left there. The target's folder is not fsynced.

    Raises:
        FileExistsError: a file is at `target`.
        OSError: the move failed; the source is still there.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV and getattr(error, "winerror", None) != 17:
            raise
        _copy_across(source, target)


def write_new(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole, durable file under a new name; the same content already there is success.

    Raises:
        FileExistsError: another content is at `path`.
        OSError: the file cannot be written; nothing is at `path`.
    """
    path = Path(path)
    staged = _beside(path)
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            move_new(staged, path)
        except FileExistsError:
            if path.read_bytes() != content:
                raise
    finally:
        staged.unlink(missing_ok=True)
    fsync_directory(path.parent)


def write_over(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole, durable file in the place of the one that may be there, in one step.

    Raises:
        OSError: it could not be written; what was there is as it was.
    """
    path = Path(path)
    part = path.with_name(path.name + PART)
    make_folder(path.parent)
    part.write_bytes(content)
    fsync_file(part)
    os.replace(part, path)
    fsync_directory(path.parent)


def is_part(name: str) -> bool:
    """Whether a file of this name is one of ours that was not finished."""
    return name.startswith(".") and name.endswith(PART)


def remedy(error: OSError, path: str | os.PathLike[str]) -> str:
    """One line that says what is wrong with a path and what to do about it."""
    if error.errno in FULL:
        return f"no space left for {path}: free some, or move the output to a larger disk"
    if error.errno in _FORBIDDEN:
        return (
            f"{path} may not be written: give this user the right to write there,"
            " or close the program that has it open"
        )
    return f"{path} cannot be written ({error.strerror or error}): check that the disk is there"


def _copy_across(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    staged = _beside(Path(target))
    before = _identity(source)
    try:
        shutil.copyfile(source, staged)
        with contextlib.suppress(OSError):
            shutil.copystat(source, staged)
        fsync_file(staged)
        if _digest(staged) != _digest(source):
            raise OSError(errno.EIO, "the copy differs from its source", str(source))
        move_new(staged, target)
    finally:
        staged.unlink(missing_ok=True)
    fsync_directory(Path(target).parent)
    # Another file may have been renamed over it meanwhile: that one stays.
    with contextlib.suppress(FileNotFoundError):
        if _identity(source) == before:
            _remove(source, target)
    # Or a power cut brings it back after its removal was noted. A share has a disk of its own.
    with contextlib.suppress(OSError):
        fsync_directory(Path(source).parent)


def _identity(path: str | os.PathLike[str]) -> tuple[int, int, int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _remove(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Take the old name away; where that is not allowed, take the new one back."""
    try:
        os.unlink(source)
    except FileNotFoundError:
        return
    except OSError:
        os.unlink(target)
        raise


def _beside(path: Path) -> Path:
    # A hash, because a name of 255 bytes has no room for a suffix.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".{digest}{PART}")


def _digest(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
