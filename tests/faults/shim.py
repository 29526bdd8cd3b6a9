"""The shim of `shim.c`, compiled once: kills at a chosen change, records, and makes calls fail.

It stands between a process and the C library's file calls, so SQLite and pyarrow pass through it
as Python does. Linux with a C compiler; elsewhere the gates that want it say so and are skipped.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from faults.gate import NotHereError

SOURCE = Path(__file__).with_name("shim.c")
PAGE_BYTES = 4096


@functools.cache
def library() -> Path:
    """The compiled shim, kept between runs by the hash of its source.

    Raises:
        NotHereError: this is not Linux, or there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        raise NotHereError("wants Linux and a C compiler: apt-get install gcc libc6-dev")
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    path = Path(tempfile.gettempdir(), f"markwatch-shim-{os.getuid()}-{digest}.so")
    if not path.exists():
        made = path.with_suffix(f".{os.getpid()}")
        flags = ("-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
        subprocess.run(
            [compiler, *flags, "-o", str(made), str(SOURCE), "-ldl", "-lpthread"], check=True
        )
        made.replace(path)
    return path


def shimmed(under: Path, **settings: str | int | Path) -> dict[str, str]:
    """The environment of a process whose file calls below `under` pass through the shim.

    `settings` are `kill`, `record` and `fault`, as `shim.c` names them.
    """
    named = {f"SHIM_{key.upper()}": str(value) for key, value in settings.items()}
    return {"LD_PRELOAD": str(library()), "SHIM_UNDER": str(under), **named}


class Faults:
    """Makes the file calls of a running process fail while it is told to; `path` is its page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(PAGE_BYTES))

    def begin(self, number: int, folder: Path, kind: Literal["all", "grow", "move"]) -> None:
        """From now on calls below `folder` fail with this errno: all, or those of a kind."""
        self._write(f"{number} {kind} {folder}\n")

    def end(self) -> None:
        """From now on none fails."""
        self._write("0")

    def _write(self, text: str) -> None:
        # In place, because the process has the page mapped.
        with self.path.open("r+b") as page:
            page.write(text.encode().ljust(PAGE_BYTES, b"\0"))
