"""What a crash interrupted is finished at the next start, from the ledger."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import structlog

from flows.chunks import Waiting
from flows.claims import Claims, is_there
from flows.clocks import Clocks
from flows.configuration.settings import Layout
from flows.files import durable
from flows.files.digest import digest_of
from flows.files.sidecar import give_back_sidecar, remove_sidecar
from flows.ledger.log import Claim, Ledger, Unfinished


def recover(
    layout: Layout,
    ledger: Ledger,
    clocks: Clocks,
    unfinished: Iterable[Unfinished],
    *,
    isolated: bool,
) -> tuple[list[Waiting], list[Unfinished]]:
    """Finish what a crash interrupted.

    Returns the pictures to be read, and those that are reported but not filed. An attempt that
    was in flight counts only if the picture may be to blame: if it was read alone, in the very
    process that died. When the graph is `isolated` in a worker, it never is.
    """
    claims = Claims(layout, clocks)
    to_read: list[Waiting] = []
    to_file: list[Unfinished] = []
    dropped: list[str] = []
    forgiven: list[str] = []
    for item in unfinished:
        work = layout.root / item.claim.work
        if item.state == "reported":
            to_file.append(item)
        elif item.state == "claimed" and item.image is not None:
            remove_sidecar(work)
            blameless = item.in_flight and (isolated or not item.alone)
            if blameless:
                forgiven.append(item.claim.id)
            attempts = item.attempts - int(blameless)
            to_read.append(Waiting(item.image, attempts, suspect=item.in_flight))
        elif os.path.lexists(work):
            # Across file systems a claim copies under another name, verifies, renames, and only
            # then removes: so `work` is whole, and the same bytes in the inbox are its residue.
            _remove_residue(item.claim, work)
            image = claims.image_of(item.claim)
            ledger.claimed([image])
            remove_sidecar(work)
            to_read.append(Waiting(image, 0))
        else:
            give_back_sidecar(item.claim.source, work, is_same=is_there(item.claim))
            dropped.append(item.claim.id)
    if dropped:
        ledger.disclaim(dropped)
    if forgiven:
        ledger.forgive(forgiven)
    return to_read, to_file


def _remove_residue(claim: Claim, work: Path) -> None:
    """Remove the name in the inbox that a claim had not removed yet.

    It is the same file, or the one that was copied: a new picture under the old name has
    another file time, even when its bytes are the same.
    """
    source = Path(claim.source)
    try:
        found = source.lstat()
        same = (found.st_size, found.st_mtime_ns) == (claim.size, claim.mtime_ns)
        if source.samefile(work) or (same and digest_of(source) == digest_of(work)):
            source.unlink()
            durable.fsync_directory(source.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        structlog.get_logger("markwatch.intake").warning(
            "cannot remove what was claimed", path=claim.name, error=str(error)
        )
