"""How full the disks are on which a root keeps its things, in words for a person."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from flows.care.retention_options import RetentionOptions
from flows.configuration.settings import Layout

_MB = 1 << 20


def full_disks(
    layout: Layout, outputs: Iterable[Path], pictures_bytes: int, options: RetentionOptions
) -> dict[str, str]:
    """What is nearly full, by name: each disk, and the budget where one is set.

    `pictures_bytes` is the size of all filed pictures by the ledger, which need not be looked at.

    Raises:
        OSError: a disk cannot be looked at.
    """
    outputs = [path for path in outputs if path.is_dir()]
    found = {}
    folders = (layout.state, layout.work, layout.archive, layout.failed, *outputs)
    disks = {path.stat().st_dev: path for path in reversed(folders) if path.is_dir()}
    for path in disks.values():
        usage = shutil.disk_usage(path)
        # Blocks that are kept for root are not free to this process.
        percent = 100 * (1 - usage.free / max(1, usage.used + usage.free))
        if percent >= options.warn_percent:
            found[f"disk of {layout.label(path)}"] = (
                f"{percent:.0f} % full, {usage.free // _MB} MB left: free some space, or let "
                "retention.archive_days or archive_mb remove old pictures"
            )
    if options.disk_budget_mb is not None:
        used = pictures_bytes + sum(map(_size, (layout.state, layout.work, *outputs)))
        percent = 100 * used / (options.disk_budget_mb * _MB)
        if percent >= options.warn_percent:
            found["disk budget"] = (
                f"{used // _MB} of {options.disk_budget_mb} MB used ({percent:.0f} %): raise "
                "retention.disk_budget_mb, or let archive_days or archive_mb remove old pictures"
            )
    return found


def _size(top: Path) -> int:
    total = 0
    for folder, _, names in os.walk(top):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total
