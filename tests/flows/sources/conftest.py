"""A folder source listened to in a thread, and its log, both to be waited for by tests."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import structlog

from flows.sources.folder import FolderSource
from stages.ports import Site
from stages.records import Arrival

PATIENCE = 20.0
HOUR = 3600.0


class Listener:
    """Reads a source in a thread; `until` waits for what the source says."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self.stop = threading.Event()
        self.said: queue.Queue[Arrival | BaseException] = queue.Queue()
        self.thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        try:
            for seen in self.source.arrivals(self.stop):
                if isinstance(seen, Arrival):
                    self.said.put(seen)
        except BaseException as error:
            self.said.put(error)

    def next(self, timeout: float = PATIENCE) -> Arrival:
        said = self.said.get(timeout=timeout)
        if isinstance(said, BaseException):
            raise said
        return said

    def forget(self) -> None:
        """Drop what was said so far."""
        while not self.said.empty():
            self.said.get_nowait()

    def until(self, wanted: Callable[[Arrival], bool]) -> list[Arrival]:
        """Everything that is said up to and including the first that is wanted."""
        heard = []
        deadline = time.monotonic() + PATIENCE
        while True:
            left = deadline - time.monotonic()
            try:
                heard.append(self.next(max(0.01, left)))
            except queue.Empty:
                raise AssertionError(f"never said; only {heard[-20:]}") from None
            if wanted(heard[-1]):
                return heard

    def hint(self, path: Path, *hints: str) -> Arrival:
        """Wait until one of the hints is said of the path."""
        return self.until(lambda one: one.path == str(path) and one.hint in hints)[-1]


class Log:
    """Structlog's last processor: keeps what was logged, and lets a test wait for it."""

    def __init__(self) -> None:
        self.lines: list[dict] = []
        self._new: queue.Queue[dict] = queue.Queue()

    def __call__(self, logger: object, method: str, line: dict) -> dict:
        self.lines.append(line)
        self._new.put(line)
        raise structlog.DropEvent

    def until(self, *events: str) -> dict:
        """Wait for the next line that begins like one of these."""
        while True:
            line = self._new.get(timeout=PATIENCE)
            if line["event"].startswith(events):
                return line

    def all(self, event: str, key: str) -> list[str]:
        return [line[key] for line in self.lines if line["event"].startswith(event)]


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[log])
    yield log
    structlog.configure(processors=before)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "inbox"
    (folder / "press-3").mkdir(parents=True)
    return folder


@pytest.fixture
def listening(tmp_path: Path) -> Callable[..., AbstractContextManager[Listener]]:
    """Makes a source with the given options, and a listener to it."""

    @contextmanager
    def listen(
        source_class: type[FolderSource] = FolderSource, **options: object
    ) -> Iterator[Listener]:
        values = {"poll_seconds": 0.05, "rescan_seconds": HOUR} | options
        before = set(threading.enumerate())
        source = source_class(FolderSource.Options.model_validate(values), Site("s", str(tmp_path)))
        with source:
            listener = Listener(source)
            listener.thread.start()
            try:
                yield listener
            finally:
                listener.stop.set()
                listener.thread.join(PATIENCE)
        assert set(threading.enumerate()) - before == set()

    return listen


@pytest.fixture
def watching(
    listening: Callable[..., AbstractContextManager[Listener]], inbox: Path
) -> Callable[..., AbstractContextManager[Listener]]:
    """Like `listening`, once the source has begun: it has seen `press-3/first.png`."""

    @contextmanager
    def watch(**options: object) -> Iterator[Listener]:
        first = inbox / "press-3" / "first.png"
        first.write_bytes(b"first")
        with listening(**options) as listener:
            listener.hint(first, "seen")
            yield listener

    return watch
