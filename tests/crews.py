"""A Dask cluster of processes, as somebody else would run it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from brokers import free_port
from distributed import Client, Security
from plants import environment, wait_until

TESTS = str(Path(__file__).parent)
"""Where workers find the tasks of tests; without the faulty plug-ins."""


def dask(role: str, *arguments: str, **extra: str) -> subprocess.Popen[bytes]:
    """Start `dask scheduler` or `dask worker`, without the dashboard.

    `extra` is added to its environment.
    """
    # The scheduler too reads the graphs, and so wants what their tasks are made of.
    extra.setdefault("PYTHONPATH", os.pathsep.join([environment()["PYTHONPATH"], TESTS]))
    command = [sys.executable, "-m", "dask", role, *arguments, "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment(**extra), start_new_session=True, **quiet)


class Crew:
    """A scheduler, and workers that join it one by one.

    `extra` is the scheduler's environment; with `security` all speak TLS.
    """

    def __init__(self, *, security: Security | None = None, **extra: str) -> None:
        port = free_port()
        self._security = security
        self._protocol = "tls" if security else "tcp"
        self.address = f"{self._protocol}://127.0.0.1:{port}"
        self._all: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--port", str(port), **extra)
        wait_until(self._is_there, "the scheduler")

    def _start(self, role: str, *arguments: str, **extra: str) -> subprocess.Popen[bytes]:
        there = ("--host", "127.0.0.1", "--protocol", self._protocol)
        self._all.append(dask(role, *arguments, *there, **extra))
        return self._all[-1]

    def client(self) -> Client:
        """Somebody else's client of it."""
        return Client(self.address, timeout=10, security=self._security)

    def _is_there(self) -> bool:
        try:
            Client(self.address, timeout=1, security=self._security).close()
        except OSError:
            return False
        return True

    def join(
        self, name: str, *arguments: str, nanny: bool = False, **extra: str
    ) -> subprocess.Popen[bytes]:
        """Have one more worker of one thread, and wait until the scheduler knows it."""
        watched = "--nanny" if nanny else "--no-nanny"
        own = ("--name", name, "--nthreads", "1", watched, *arguments)
        process = self._start("worker", self.address, *own, **extra)
        wait_until(lambda: name in self.names(), f"the worker {name}")
        return process

    def names(self) -> set[str]:
        """The workers that the scheduler knows."""
        with self.client() as client:
            there = client.scheduler_info(n_workers=-1)["workers"]
            return {about["name"] for about in there.values()}

    def end(self) -> None:
        """End all of it."""
        for process in self._all:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def crew(*, security: Security | None = None, **extra: str) -> Iterator[Crew]:
    """A scheduler that has no workers yet."""
    one = Crew(security=security, **extra)
    try:
        yield one
    finally:
        one.end()


def other_release(folder: Path, release: str) -> dict[str, str]:
    """What a worker's environment says when another release of markwatch is installed there."""
    about = folder / f"markwatch-{release}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: markwatch\nVersion: {release}\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), TESTS])}
