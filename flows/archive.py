"""Where a picture goes when its report is committed: `archive/`, or `failed/` with the reason.

The target is chosen before the report is committed and committed with it, so a restart can finish
the move; a target is never a name that is taken, so two files of one name never overwrite each
other. Delivery does not wait for it and it does not wait for delivery: sinks read the ledger.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import structlog

from flows import vocabulary
from flows.configuration.settings import Layout
from flows.files import durable
from flows.ledger.log import Ledger, Outcome
from stages.records import Failure, ImageRef, Report

MAX_NAME_BYTES = 255
REASON = ".reason.json"


@dataclass(frozen=True, slots=True)
class Filing:
    """One move that is due: from `work/` to the target, both relative to the root."""

    id: str
    work: str
    target: str
    note: str | None


class Archive:
    """Chooses targets and moves pictures to them."""

    def __init__(self, layout: Layout, ledger: Ledger) -> None:
        self._layout = layout
        self._ledger = ledger
        self._reserved: set[str] = set()
        self._complaints: dict[str, str] = {}
        self._log = structlog.get_logger("markwatch.archive")

    def target(self, result: Report | Failure) -> str:
        """A free path, relative to the root, for this picture: by camera and UTC day of arrival."""
        image = result.image
        day = image.arrived_at.strftime("%Y/%m/%d")
        top = "failed" if isinstance(result, Failure) else "archive"
        filed = self._layout.failed if isinstance(result, Failure) else self._layout.archive
        if Path(image.path).is_relative_to(filed):
            # Read again where it lies, and it belongs there still.
            return relative_work(self._layout, image.path)
        folder = PurePosixPath("data", top, _folder(image.camera), day)
        for name in _names(image):
            target = str(folder / name)
            taken = target in self._reserved or self._ledger.is_target(target)
            if not taken and not os.path.lexists(self._layout.root / target):
                self._reserved.add(target)
                return target
        raise AssertionError("a name that holds the picture's own id is always free")

    @property
    def trouble(self) -> str | None:
        """Why pictures cannot be filed, in words for a person; None when they can."""
        return next(iter(self._complaints.values()), None)

    def file(self, filings: Iterable[Filing]) -> list[Filing]:
        """Move the pictures of committed reports; returns those that could not be moved now."""
        filings = tuple(filings)
        failed: dict[str, OSError] = {}
        ready: list[Filing] = []
        for filing in filings:
            source, target = self._paths(filing)
            if source == target:
                continue
            try:
                durable.make_folder(target.parent)
                if filing.note is not None:
                    _write_note(target.with_name(_reason_name(target.name)), filing)
                if _is_there(source) or _is_there(target):
                    ready.append(filing)
                else:
                    self._log.error("picture is gone", work=filing.work, target=filing.target)
            except OSError as error:
                failed[filing.id] = error
        troubles = durable.move_all_new(self._paths(filing) for filing in ready)
        for filing in ready:
            if error := troubles.get(self._paths(filing)[0]):
                failed[filing.id] = error
        moved = [filing for filing in filings if filing.id not in failed]
        left = [filing for filing in filings if filing.id in failed]
        for filing in left:
            if filing.id not in self._complaints:
                error = failed[filing.id]
                self._complaints[filing.id] = durable.remedy(error, self._paths(filing)[1])
                self._log.warning("cannot file", target=filing.target, error=str(error))
        for filing in moved:
            source, target = self._paths(filing)
            if source != target and source.is_relative_to(self._layout.failed):
                source.with_name(_reason_name(source.name)).unlink(missing_ok=True)
        if moved:
            self._ledger.archived(filing.id for filing in moved)
            self._reserved.difference_update(filing.target for filing in moved)
            for filing in moved:
                self._complaints.pop(filing.id, None)
        return left

    def _paths(self, filing: Filing) -> tuple[Path, Path]:
        return self._layout.root / filing.work, self._layout.root / filing.target


def filing(outcome: Outcome, work: str) -> Filing:
    """The move that a committed outcome asks for."""
    result = outcome.result
    note = (
        reason_note(result.image, result.stage, result.reason)
        if isinstance(result, Failure)
        else None
    )
    return Filing(result.image.id, work, outcome.target, note)


def _is_there(path: Path) -> bool:
    # `lexists` would take a disk that is away for a picture that is gone.
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _write_note(path: Path, filing: Filing) -> None:
    try:
        durable.write_new(path, (filing.note or "").encode())
    except FileExistsError:
        # Written before a crash; what a restart knows (no stage) may differ from what it says.
        if json.loads(path.read_bytes()).get("id") != filing.id:
            raise


def reason_note(image: ImageRef, stage: str | None, reason: str | None) -> str:
    """What stands in `<name>.reason.json` beside a failed picture."""
    return json.dumps(
        {
            "image": image.name,
            "id": image.id,
            "camera": image.camera,
            "stage": stage,
            "reason": reason,
            "sha256": image.sha256,
            "arrived_at": vocabulary.instant(image.arrived_at),
            "read_again": f"markwatch reread {image.id}",
        },
        ensure_ascii=False,
        indent=2,
    )


def _names(image: ImageRef) -> Iterable[str]:
    name = image.name.replace("/", "_").replace(os.sep, "_").strip()
    name = "unnamed" if name in ("", ".", "..") else name
    stem, suffix = os.path.splitext(name)
    short = image.id.replace("-", "")
    for tail in ("", f"~{short[-8:]}", f"~{short}"):
        yield _fit(stem, f"{tail}{suffix}")


def _fit(stem: str, tail: str) -> str:
    room = MAX_NAME_BYTES - len(REASON) - len(tail.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + tail


def _reason_name(name: str) -> str:
    return name + REASON


def _folder(camera: str) -> str:
    safe = camera.replace("/", "_").replace(os.sep, "_").lstrip(".")
    # A camera's name may be longer than its folder's was: undecodable bytes are written as escapes.
    return safe.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore") or "_"


def relative_work(layout: Layout, path: str) -> str:
    """A claimed picture's path relative to the root."""
    return Path(path).relative_to(layout.root).as_posix()
