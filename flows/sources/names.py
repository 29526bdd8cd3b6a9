"""Which paths below an inbox are pictures, and whose."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence

from flows.files.filenames import printable

LOOSE_CAMERA = "default"
"""The camera of a picture that lies in the inbox itself."""


class Names:
    """Which paths below the inbox are pictures, and whose."""

    def __init__(self, inbox: str, suffixes: Sequence[str], ignore: Sequence[str]) -> None:
        self.inbox = inbox
        self._prefix = os.path.join(inbox, "")
        self._endings = tuple("." + suffix.lower().lstrip(".") for suffix in suffixes)
        # `(?!)` matches nothing, where an empty pattern would match all.
        patterns = "|".join(fnmatch.translate(pattern) for pattern in ignore) or "(?!)"
        self._ignored = re.compile(patterns, re.IGNORECASE).match

    def ignores(self, name: str) -> bool:
        """Whether one part of a path is on the ignore list."""
        return self._ignored(name) is not None

    def is_picture(self, name: str) -> bool:
        """Whether the name ends like that of a picture."""
        return name.lower().endswith(self._endings)

    def wants(self, path: str) -> bool:
        """Whether a path is that of a picture below the inbox, no part of it being ignored."""
        if not self.is_picture(path) or not path.startswith(self._prefix):
            return False
        return not any(self.ignores(part) for part in path[len(self._prefix) :].split(os.sep))

    def leads_to_pictures(self, folder: str) -> bool:
        """Whether a folder lies below the inbox, and no part of its path is ignored or a link."""
        if not folder.startswith(self._prefix):
            return False
        here = self.inbox
        for part in folder[len(self._prefix) :].split(os.sep):
            here = os.path.join(here, part)
            if self.ignores(part) or os.path.islink(here):
                return False
        return os.path.isdir(folder)

    def camera(self, path: str) -> str:
        """The subfolder of the inbox that holds the file, made printable."""
        folder, deeper, _ = path[len(self._prefix) :].partition(os.sep)
        return printable(folder) if deeper else LOOSE_CAMERA
