"""Engines are loaded on a Dask worker when it joins, before its first picture.

A module of its own, because a worker plug-in must be importable there and imports `distributed`.
"""

from __future__ import annotations

from typing import Any

import structlog
from distributed import WorkerPlugin

from flows.cluster.loading import load_on
from flows.cluster.place import Terms
from flows.configuration.recipes import Engine
from stages.errors import MarkwatchError


class Preload(WorkerPlugin):
    """Has a worker load engines on one of its own threads; what does not load says so when used."""

    def __init__(self, name: str, engines: tuple[Engine, ...], terms: Terms) -> None:
        self.name = name
        self._engines = engines
        self._terms = terms

    def setup(self, worker: Any) -> None:
        # Not in the plug-in's own turn: until that ends, the worker answers nobody.
        worker.executors["default"].submit(self._load, dict(worker.state.total_resources))

    def _load(self, resources: dict[str, float]) -> None:
        try:
            load_on(resources, self._engines, self._terms)
        except MarkwatchError as error:
            structlog.get_logger("markwatch.cluster").warning("not loaded", error=str(error))
