"""The engines of one process: detectors and recognisers, loaded once and kept.

An engine is a session that only one thread may use at a time. One that declares
`per_thread = True` is loaded once for each thread that asks; any other is shared behind a lock.
The registry belongs to the process that computes (a Dask worker, or this one with `threads`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flows import plugins
from flows.recipes import Engine


class Engines:
    """Loaded engines by what they are."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[tuple[Any, ...], threading.Lock] = {}
        self._loaded: dict[tuple[Any, ...], Any] = {}

    @contextmanager
    def use(self, engine: Engine) -> Iterator[Any]:
        """The engine, loaded if need be, for this thread alone until the block ends.

        Raises:
            PluginError: it is not installed or does not load.
            RecogniserError: it failed to start.
        """
        plugin = plugins.load(engine.kind, engine.name)
        key: tuple[Any, ...] = engine.key
        if plugin.per_thread:
            key = (*key, threading.get_ident())
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._loaded:
                self._loaded[key] = plugin(engine.options).__enter__()
            yield self._loaded[key]

    def close(self) -> None:
        """Unload everything; no engine may be in use."""
        with self._guard:
            loaded, self._loaded = self._loaded, {}
            self._locks.clear()
        for engine in loaded.values():
            engine.__exit__(None, None, None)


ENGINES = Engines()


def unload() -> None:
    """Unload the engines of this process; the next use loads them anew. Run on a worker."""
    ENGINES.close()


def warm(engines: tuple[Engine, ...]) -> list[str]:
    """Load engines in this process, before the first picture; returns a line for each."""
    lines = []
    for engine in engines:
        with ENGINES.use(engine) as loaded:
            lines.append(f"{engine.kind} {engine.name} {getattr(loaded, 'model', '')}".strip())
    return lines
