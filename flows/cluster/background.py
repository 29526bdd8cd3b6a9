"""A worker that leaves the processor to the others: what it tries is not what the line waits for.

A module of its own, because a worker plug-in must be importable there and imports `distributed`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import psutil
from distributed import WorkerPlugin

NICER = 5


class Background(WorkerPlugin):
    """Lowers the priority of a worker, whenever it starts."""

    name = "markwatch-background"

    def setup(self, worker: Any) -> None:
        if not hasattr(os, "setpriority"):
            return
        nice = os.getpriority(os.PRIO_PROCESS, 0) + NICER
        # On Linux each thread has a priority of its own, and hands it to those that it starts.
        of_each = sys.platform == "linux"
        for thread in [one.id for one in psutil.Process().threads()] if of_each else [0]:
            # It may have ended meanwhile, or a sandbox forbids it: a worker works without it too.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, nice)
