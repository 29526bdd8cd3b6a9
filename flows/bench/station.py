"""A `markwatch watch` of its own for a bench: a root, the process in it, and what that costs.

What a process tree costs is read from the kernel: the processor time of all its processes, and
the high-water mark of each one's resident memory, so nothing has to be sampled.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from flows.commands import site
from flows.configuration.settings import Layout
from stages.errors import ConfigError

STILL_SECONDS = 120.0
"""A walk that does nothing for so long has stopped."""

LOOK_SECONDS = 0.05
PROGRAM = "from flows.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and its children took so far."""

    cpu_seconds: float
    peak_mb: float


class Station:
    """A root with this configuration, in which `watch` may run; `program` is Python that runs it.

    `plugin` is a folder that the process is to find a plug-in in.
    """

    def __init__(
        self,
        root: Path,
        site_yaml: str,
        recipe_yaml: str,
        *,
        plugin: Path | None = None,
        program: str = PROGRAM,
    ) -> None:
        site.init(root)
        self.layout = Layout(root)
        (self.layout.conf / "markwatch.yaml").write_text(site_yaml, encoding="utf-8")
        (self.layout.recipes / "default.yaml").write_text(recipe_yaml, encoding="utf-8")
        self._plugin, self._program = plugin, program
        self._log = root / "watch.log"
        self._process: subprocess.Popen[bytes] | None = None

    def inbox(self, camera: str) -> Path:
        """A camera's folder, made if need be."""
        folder = self.layout.root / "data" / "inbox" / camera
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def running(self, *arguments: str) -> Iterator[None]:
        """`watch` for as long as the block lasts; it is told to stop, and waited for."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("MARKWATCH")}
        paths = [str(self._plugin)] if self._plugin else []
        paths += filter(None, [os.environ.get("PYTHONPATH")])
        place = str(self.layout.root)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._program, "watch", *arguments, "--root", place],
                env={**clean, "PYTHONPATH": os.pathsep.join(paths)},
                stdout=log,
                stderr=log,
            )
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STILL_SECONDS)
            finally:
                self._process.kill()
                self._process.wait()

    def cost(self) -> Cost:
        """What it took so far, with its workers."""
        if self._process is None:
            raise RuntimeError("nothing runs")
        return cost_of(self._process.pid)

    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def query(self, sql: str) -> list[tuple]:
        """Ask the ledger; nothing while there is none."""
        if not self.layout.ledger.is_file():
            return []
        place = f"{self.layout.ledger.as_uri()}?mode=ro"
        with closing(sqlite3.connect(place, uri=True, timeout=30)) as db:
            try:
                return db.execute(sql).fetchall()
            except sqlite3.OperationalError:
                # It is being made.
                return []

    def reported(self) -> int:
        """How many pictures the ledger has reports of."""
        found = self.query("SELECT COALESCE(SUM(reported), 0) FROM cameras")
        return found[0][0] if found else 0

    def wait(self, true: Callable[[], object], look_seconds: float = LOOK_SECONDS) -> None:
        """Wait for as long as there is progress.

        Raises:
            ConfigError: it ended, or stood still; the end of its log is told.
        """
        reported, changed = -1, time.monotonic()
        while not true():
            now = self.reported()
            if now != reported:
                reported, changed = now, time.monotonic()
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() - changed > STILL_SECONDS:
                words = f"`watch` does not go on after {reported} pictures"
                raise ConfigError(f"{words}:\n{self.log()[-2000:]}")
            time.sleep(look_seconds)


def cost_of(pid: int) -> Cost:
    """Processor time and peak resident memory of a process and its children."""
    process = psutil.Process(pid)
    seconds, peak = 0.0, 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
            peak += _peak_mb(each)
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
    ended = process.cpu_times()
    seconds += getattr(ended, "children_user", 0.0) + getattr(ended, "children_system", 0.0)
    return Cost(seconds, peak)


def _peak_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) / 1024
    about = process.memory_info()
    return getattr(about, "peak_wset", about.rss) / (1 << 20)


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A mosquitto on a free port of loopback for as long as the block lasts; gives the port.

    Raises:
        ConfigError: it is not on this machine, or does not start.
    """
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise ConfigError("mosquitto is not on this machine: `apt-get install mosquitto`")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = folder / "mosquitto.conf"
    told.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        f"user {psutil.Process().username()}\n"
    )
    process = subprocess.Popen([program, "-c", str(told)], stderr=subprocess.DEVNULL)
    try:
        _until_it_listens(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(STILL_SECONDS)


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(LOOK_SECONDS)
        else:
            return
    raise ConfigError("mosquitto does not start; run it by hand to see why")
