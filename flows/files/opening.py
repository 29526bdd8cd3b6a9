"""Files in folders that others may write to, reached without following what they put there.

A symbolic link could lead out of the inbox, to a file that only this account may read or move; a
pipe would be waited for. Both can take a file's place after it was looked at, so what was opened
is asked, and a folder is held by its handle.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)

_HAS_HANDLES = hasattr(os, "O_PATH") and os.path.isdir("/proc/self/fd")
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC if hasattr(os, "O_PATH") else 0


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading bytes.

    Raises:
        OSError: it cannot be opened, or is a symbolic link, a pipe, a folder or a device.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link", os.fspath(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
    return os.fdopen(handle, "rb")


@contextmanager
def without_links(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The same name by a way that no symbolic link turns aside, for as long as the block lasts.

    Each folder is opened in the one before it, so a folder that becomes a link meanwhile cannot
    lead a rename to another place. The name itself may be that of a link.

    Raises:
        OSError: a folder on the way is gone, or is a symbolic link.
    """
    whole = Path(os.path.abspath(path))
    if not _HAS_HANDLES:
        if os.path.realpath(whole.parent) != str(whole.parent):
            raise _turned(whole.parent)
        yield whole
        return
    handle = os.open(whole.anchor, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in whole.parent.parts[1:]:
            try:
                following = os.open(part, _FOLDER, dir_fd=handle)
            except NotADirectoryError as error:
                raise _turned(whole.parent) from error
            os.close(handle)
            handle = following
        yield Path(f"/proc/self/fd/{handle}", whole.name)
    finally:
        os.close(handle)


def _turned(folder: Path) -> OSError:
    return OSError(errno.ELOOP, "a folder on the way is a symbolic link now", str(folder))
