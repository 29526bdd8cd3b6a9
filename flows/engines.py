"""The engines of one process: detectors and recognisers, loaded once and kept.

An engine is a session that only one thread may use at a time. One that declares
`per_thread = True` is loaded once for each thread that asks; any other is shared behind a lock.
The registry belongs to the process that computes (a Dask worker, or this one with `threads`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import plugins
from flows.configuration.recipes import Engine
from stages.errors import PluginError
from stages.options import Options


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
        key: tuple[Any, ...] = (*engine.key, engine.root)
        if plugin.per_thread:
            key = (*key, threading.get_ident())
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._loaded:
                self._loaded[key] = plugin(_placed(engine)).__enter__()
            yield self._loaded[key]

    def keep(self, engines: Iterable[Engine]) -> None:
        """Unload all but these; no engine may be in use."""
        kept = {(*engine.key, engine.root) for engine in engines}
        with self._guard:
            gone = [key for key in self._loaded if key[:4] not in kept]
            unwanted = [self._loaded.pop(key) for key in gone]
        for engine in unwanted:
            engine.__exit__(None, None, None)

    def close(self) -> None:
        """Unload everything, each engine when nobody uses it."""
        with self._guard:
            loaded = list(self._loaded)
        for key in loaded:
            with self._locks[key]:
                engine = self._loaded.pop(key, None)
                if engine is not None:
                    engine.__exit__(None, None, None)


def _placed(engine: Engine) -> Options:
    """The options of an engine, those that are paths begun at its root.

    An option is one by `json_schema_extra={"path": True}`. It may name something else as well, so
    what is not there is left as it stands; but never is it looked for in the current folder, which
    is another one under a service manager than at a terminal.

    Raises:
        PluginError: it is in the current folder, and not where it belongs.
    """
    options = engine.options
    if engine.root is None:
        return options
    whole: dict[str, str] = {}
    for name in options.model_fields_set:
        value = getattr(options, name)
        about = type(options).model_fields[name].json_schema_extra
        if not (isinstance(about, dict) and about.get("path") and isinstance(value, str)):
            continue
        path = engine.root / Path(value).expanduser()
        if path.exists():
            whole[name] = str(path)
        elif Path(value).exists():
            raise PluginError(
                f"{engine.kind} {engine.name}: {name}: {value} is not in the root {engine.root}, "
                f"where paths of the configuration begin; write {Path(value).resolve()}"
            )
    return options.model_copy(update=whole)


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
