"""Logging on a Dask worker: set up like this process's, and again whenever the worker restarts.

A module of its own, because a worker plug-in must be importable there and imports `distributed`.
"""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from flows import telemetry
from flows.configuration.settings import LogOptions


class WorkerLog(WorkerPlugin):
    """Writes what the stages log on a worker in the same form as the flow's own lines."""

    name = "markwatch-log"

    def __init__(self, options: LogOptions) -> None:
        self._options = options

    def setup(self, worker: Any) -> None:
        telemetry.configure(self._options)
