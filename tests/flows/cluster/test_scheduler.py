"""A Dask cluster that somebody else runs: reached, lost, and found again."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import dask
import pytest
from brokers import free_port
from dasktasks import call, pid
from distributed import LocalCluster
from plants import wait_until

from flows.cluster.choice import cluster
from flows.cluster.place import ClusterAwayError
from flows.configuration.settings import ClusterOptions, LogOptions
from stages.errors import ConfigError

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]


def test_enter_when_no_scheduler_answers_then_says_which_and_what_to_do():
    options = ClusterOptions(address="tcp://127.0.0.1:1", start_seconds=1)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"):
        cluster(options, LogOptions()).__enter__()


def test_dask_cluster_when_a_scheduler_runs_elsewhere_then_the_graph_runs_there(tmp_path):
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit="1GiB",
        ) as elsewhere,
        cluster(
            ClusterOptions(address=elsewhere.scheduler_address), LogOptions(), tmp_path
        ) as place,
    ):
        assert place.slots == 2
        assert place.warm(()) == []
        assert place.submit(call(pid)).result(60) != os.getpid()
        assert place.ready((), alone=True, anew=True)
        with pytest.raises(ZeroDivisionError):
            place.submit(dask.delayed(lambda: 1 / 0, pure=False)()).result(60)


def is_heard(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def ended(process: subprocess.Popen) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_dask_cluster_when_its_scheduler_is_lost_then_nobody_is_blamed_and_it_is_found_again(
    tmp_path,
):
    port = free_port()
    elsewhere = {"n_workers": 1, "host": "127.0.0.1", "scheduler_port": port}
    elsewhere |= {"dashboard_address": None, "memory_limit": "1GiB"}
    address = f"tcp://127.0.0.1:{port}"
    dask_command = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # Processes of their own: a LocalCluster that ends takes its worker away first.
    scheduler = subprocess.Popen(
        [*dask_command, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        **quiet,
    )
    worker = subprocess.Popen(
        [*dask_command, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
        **quiet,
    )
    wait_until(lambda: is_heard(port), "the scheduler listens")
    options = ClusterOptions(address=address, start_seconds=20)
    with ended(worker), ended(scheduler), cluster(options, LogOptions(), tmp_path) as place:
        held = place.submit(dask.delayed(time.sleep, pure=False)(60))
        scheduler.kill()
        worker.kill()
        with pytest.raises(ClusterAwayError, match="was lost"):
            held.result(60)
        with pytest.raises(ClusterAwayError, match="no Dask scheduler answers"):
            place.warm(())
        with pytest.raises(ClusterAwayError, match="no Dask scheduler answers"):
            place.submit(call(pid)).result(60)
        with LocalCluster(**elsewhere, threads_per_worker=3):
            assert place.warm(()) == []
            assert place.slots == 3
            assert place.submit(call(pid)).result(60) != os.getpid()
