"""A Dask cluster on loopback for a bench: `python -m flows.bench.farm scheduler|workers ...`.

The scheduler has a process of its own, so that its processor time is its own. Workers that only
wait share a process, all without a nanny: hundreds of them would not fit otherwise. Every process
counts the bytes that it sends; `sent` and `cpu_seconds` are asked of it through Dask.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client

START_SECONDS = 300.0
LOOK_SECONDS = 0.05
_SENT = {"bytes": 0}
_HERE = str(Path(__file__).resolve().parents[2])
"""Where this process finds `flows`: the others are to run the same code."""


def sent(dask_scheduler: Any = None) -> int:
    """Bytes that this process has sent over Dask's connections."""
    return _SENT["bytes"]


def cpu_seconds(dask_scheduler: Any = None) -> float:
    """Processor time of this process."""
    return time.process_time()


def count_sent() -> None:
    """Begin to count in this process: Dask's TCP tells how much it wrote, and keeps no sum."""
    from distributed.comm.tcp import TCP

    write = TCP.write
    if getattr(write, "counts", False):
        return

    async def counting(self: Any, *arguments: Any, **options: Any) -> int:
        written = await write(self, *arguments, **options)
        _SENT["bytes"] += written
        return written

    counting.counts = True  # type: ignore[attr-defined]
    TCP.write = counting


@contextmanager
def farm(
    folder: Path, hosts: Sequence[int], environment: dict[str, str] | None = None
) -> Iterator[Client]:
    """A client of a scheduler and of one process for each of `hosts`, with so many workers in it.

    Each worker has one thread.

    Raises:
        ConfigError: they do not start.
    """
    import dask
    from distributed import Client

    count_sent()
    told = folder / "scheduler.json"
    variables = {**os.environ, **(environment or {})}
    with ExitStack() as stack:
        _started(stack, ["scheduler", str(told)], folder, variables)
        _until(told.exists, "the scheduler")
        for number, count in enumerate(hosts):
            arguments = ["workers", str(told), str(count), str(number)]
            _started(stack, arguments, folder, variables)
        # Nothing else is wanted of the client than to send graphs and wait.
        with dask.config.set({"distributed.client.scheduler-info-interval": "1h"}):
            client = stack.enter_context(Client(scheduler_file=str(told), timeout=START_SECONDS))
        try:
            client.wait_for_workers(sum(hosts), timeout=START_SECONDS)
        except TimeoutError as error:
            raise ConfigError(f"the workers did not start within {START_SECONDS:g} s") from error
        yield client


def _started(
    stack: ExitStack, arguments: list[str], folder: Path, variables: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments],
        cwd=folder,
        env={**variables, "PYTHONPATH": os.pathsep.join([_HERE, variables.get("PYTHONPATH", "")])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)


def _until(true: Any, what: str) -> None:
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        if true():
            return
        time.sleep(LOOK_SECONDS)
    raise ConfigError(f"{what} did not start within {START_SECONDS:g} s")


async def _schedule(told: str) -> None:
    from distributed import Scheduler

    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, scheduler_file=told) as running:
        await running.finished()


async def _work(told: str, count: int, host: int) -> None:
    from distributed import Worker

    workers = [
        Worker(scheduler_file=told, name=f"{host}-{number}", nthreads=1, memory_limit=0)
        for number in range(count)
    ]
    await asyncio.gather(*workers)
    await asyncio.gather(*(worker.finished() for worker in workers))


def _main(arguments: Sequence[str]) -> None:
    import dask

    # A heartbeat twice a second of hundreds of workers in one process is not what is measured.
    dask.config.set({"distributed.worker.profile.enabled": False})
    count_sent()
    if arguments[0] == "scheduler":
        asyncio.run(_schedule(arguments[1]))
    else:
        asyncio.run(_work(arguments[1], int(arguments[2]), int(arguments[3])))


if __name__ == "__main__":
    # The one that Dask finds by its name is the one that counts, not `__main__`.
    from flows.bench import farm as itself

    itself._main(sys.argv[1:])
