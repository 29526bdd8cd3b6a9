"""Work beside the flow: a process of its own at low priority, ended when it is slow, large or idle.

What a person tries out in the recipe editor may be anything: text that is no YAML, a picture that
crashes a decoder, an operation that takes minutes. None of that is to reach the flow's process, and
the kernel gives the flow its processor and, where memory is short, its memory first.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from flows import telemetry
from flows.configuration.settings import LogOptions
from flows.serve.problems import RefusedError
from stages.errors import MarkwatchError

IDLE_SECONDS = 600.0
"""How long the process waits for more; then it gives its memory back."""

START_SECONDS = 120.0
"""How long it may take to start and import what it is asked for."""

_LOOK_SECONDS = 0.2
_END_SECONDS = 5.0
_MEGABYTE = 1e6


class Aside:
    """Runs functions of modules in a process that is started when it is first wanted.

    One at a time; what they take and give must pickle.
    """

    def __init__(
        self,
        name: str,
        log: LogOptions,
        *,
        niceness: int,
        memory_mb: float,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._name = name
        self._idle = idle_seconds
        self._log = log
        self._niceness = niceness
        self._most_bytes = memory_mb * _MEGABYTE
        self._turn = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._closed = False

    def ask(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
        """What the function returns. Blocks, and is safe to call from several threads.

        Raises:
            MarkwatchError: the function raised it.
            RefusedError: it took longer, wanted more memory, or the process died.
        """
        with self._turn:
            while True:
                process, line = self._running()
                try:
                    line.send((function, arguments))
                    self._heard(process, line, START_SECONDS)
                    done, result = self._heard(process, line, seconds)
                except (EOFError, OSError):
                    process.join(_END_SECONDS)
                    status = process.exitcode
                    self._end()
                    # It had just left because nothing was asked for so long.
                    if status != 0 or self._closed:
                        raise self._died(f"status {status}") from None
                    continue
                if not done:
                    raise result
                return result

    def close(self) -> None:
        """End the process; nothing may be asked any more."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._turn:
            self._end()

    def _heard(self, process: BaseProcess, line: Connection, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not line.poll(min(_LOOK_SECONDS, max(0.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                self._end()
                raise RefusedError(
                    504,
                    "too-slow",
                    f"it was not done within {seconds:g} s",
                    "crop or resize the picture first, or take the slowest operation out",
                )
            if self._bytes(process) > self._most_bytes:
                self._end()
                raise RefusedError(
                    504,
                    "too-large",
                    f"it wanted more than {self._most_bytes / _MEGABYTE:g} MB of memory",
                    "crop or resize the picture first, or raise serve.preview_memory_mb",
                )
        return line.recv()

    def _running(self) -> tuple[BaseProcess, Connection]:
        if self._closed:
            raise self._died("the station stops")
        if self._process is None or self._connection is None or not self._process.is_alive():
            self._end()
            # Not a fork: the flow's threads hold locks that a copy would wait for.
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            self._process = context.Process(
                target=_attend,
                args=(theirs, self._log, self._niceness, self._idle),
                name=f"markwatch-{self._name}",
                daemon=True,
            )
            self._process.start()
            theirs.close()
            self._connection = ours
        return self._process, self._connection

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(_END_SECONDS)
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    @staticmethod
    def _bytes(process: BaseProcess) -> int:
        try:
            return int(psutil.Process(process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _died(self, why: str) -> RefusedError:
        return RefusedError(
            503,
            "preview-died",
            f"the process that tries recipes out is gone ({why})",
            "try again; if it happens each time, take the last change back and see the log",
            {"Retry-After": "1"},
        )


def _attend(line: Connection, log: LogOptions, niceness: int, idle_seconds: float) -> None:
    """The process: answer what is asked until the other side is gone, or asks nothing for long."""
    # Ctrl-C reaches every process of the terminal; the station ends this one itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _be_modest(niceness)
    telemetry.configure(log)
    while line.poll(idle_seconds):
        try:
            function, arguments = line.recv()
        except EOFError:
            return
        # The function's module has been imported: its own time begins.
        line.send(None)
        try:
            answer = (True, function(*arguments))
        except MarkwatchError as error:
            answer = (False, error)
        line.send(answer)


def _follow_parent() -> None:
    """A station that is killed leaves nobody behind, whatever is being computed."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(0)


def _be_modest(niceness: int) -> None:
    if os.name == "nt":
        psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
        return
    os.nice(niceness)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
