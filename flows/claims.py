"""A claim: one file leaves the inbox for `work/` by a rename, and is hashed where it then lies.

A crash at any point leaves either the inbox file or a claim that a restart finishes.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uuid_utils

from flows.clocks import Clocks
from flows.configuration.settings import Layout
from flows.files import durable
from flows.files.digest import digest_of
from flows.files.filenames import printable
from flows.files.opening import without_links
from flows.files.sidecar import announced_at, expected_of, give_back_sidecar, take_sidecar
from flows.ledger.log import Claim
from stages.records import Arrival, ImageRef


class Claims:
    """Intends, moves and hashes; what the ledger is told of it is the caller's."""

    def __init__(self, layout: Layout, clocks: Clocks) -> None:
        self._layout = layout
        self._clocks = clocks
        self._log = structlog.get_logger("markwatch.intake")

    def intent(self, arrival: Arrival) -> Claim:
        """The claim of a file, to be noted before it is moved."""
        key = str(uuid_utils.uuid7())
        suffix = Path(arrival.path).suffix.lower()
        if not (suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 8):
            suffix = ""
        return Claim(
            id=key,
            source=arrival.path,
            work=f"data/work/{key}{suffix}",
            camera=arrival.camera,
            name=printable(os.path.basename(arrival.path)),
            size=arrival.size,
            mtime_ns=arrival.mtime_ns,
        )

    def move(self, claim: Claim) -> None:
        """Move the file, and what lies beside it for its expected code, into `work/`.

        Raises:
            OSError: it was not moved, and lies in the inbox.
        """
        work = self._layout.root / claim.work
        durable.make_folder(self._layout.work)
        with without_links(claim.source) as source:
            take_sidecar(source, work, announced_at(self._layout.state, claim.camera))
            try:
                durable.move_away(source, work)
            except OSError:
                give_back_sidecar(source, work, is_same=is_there(claim))
                raise

    def image_of(self, claim: Claim) -> ImageRef:
        """The picture that a claimed file is: hashed where it now lies."""
        path = self._layout.root / claim.work
        digest, size = None, claim.size
        mtime_ns = claim.mtime_ns
        try:
            found = path.lstat()
            size, mtime_ns = found.st_size, found.st_mtime_ns
            if not stat.S_ISREG(found.st_mode):
                raise OSError("it is no regular file")
            digest = digest_of(path)
        except OSError as error:
            self._log.warning(
                "cannot read", image=claim.name, camera=claim.camera, error=str(error)
            )
        return ImageRef(
            id=claim.id,
            path=str(path),
            sha256=digest,
            size=size,
            camera=claim.camera,
            name=claim.name,
            arrived_at=self._clocks.now(),
            captured_at=_file_time(mtime_ns),
            expected=expected_of(path),
        )


def is_there(claim: Claim) -> bool:
    """Whether the file that was to be claimed still lies in the inbox."""
    try:
        found = os.lstat(claim.source)
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (claim.size, claim.mtime_ns)


def _file_time(mtime_ns: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (OverflowError, OSError, ValueError):
        return None
