"""The supervised worker: a crash or a hang costs one chunk, and the worker comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import dask
import pytest
from brokers import free_port
from distributed import LocalCluster
from plants import wait_until

from flows.cluster import (
    ClusterAwayError,
    DaskCluster,
    DaskThreads,
    SupervisedWorker,
    WorkerLostError,
    cluster,
)
from flows.configuration.settings import ClusterOptions, LogOptions
from stages.errors import ConfigError, PluginError

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]


def pid():
    return os.getpid()


def die():
    os.kill(os.getpid(), signal.SIGSEGV)


def hang():
    # Holds the interpreter's lock, as a loop in native code would: no polite request is heard.
    import ctypes

    ctypes.PyDLL(None).sleep(3600)


def call(function):
    return dask.delayed(function, pure=False)()


@pytest.fixture(scope="module")
def worker():
    with SupervisedWorker(ClusterOptions(threads=2, memory_limit_mb=1024), LogOptions()) as started:
        yield started


def test_submit_when_the_task_is_sound_then_runs_in_another_process(worker):
    assert worker.submit(call(pid)).result(60) != os.getpid()


def test_submit_when_the_worker_crashes_then_that_chunk_is_lost_and_the_next_runs(worker):
    first = worker.submit(call(pid)).result(60)
    with pytest.raises(WorkerLostError):
        worker.submit(call(die)).result(60)
    assert worker.submit(call(pid)).result(60) != first


def test_restart_when_native_code_hangs_then_the_chunk_is_lost_and_the_next_runs(worker):
    first = worker.submit(call(pid)).result(60)
    hung = worker.submit(call(hang))
    begin = time.monotonic()
    worker.restart()
    with pytest.raises(WorkerLostError):
        hung.result(60)
    assert time.monotonic() - begin < 30
    assert worker.submit(call(pid)).result(60) != first


def test_cluster_when_asked_for_by_option_then_gives_that_kind():
    assert isinstance(cluster(ClusterOptions(), LogOptions()), SupervisedWorker)
    assert isinstance(cluster(ClusterOptions(scheduler="threads"), LogOptions()), DaskThreads)
    assert type(cluster(ClusterOptions(address="tcp://127.0.0.1:1"), LogOptions())) is DaskCluster


def test_enter_when_no_scheduler_answers_then_says_which_and_what_to_do():
    options = ClusterOptions(address="tcp://127.0.0.1:1", start_seconds=1)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"):
        cluster(options, LogOptions()).__enter__()


def test_dask_cluster_when_a_scheduler_runs_elsewhere_then_the_graph_runs_there():
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit="1GiB",
        ) as elsewhere,
        cluster(ClusterOptions(address=elsewhere.scheduler_address), LogOptions()) as place,
    ):
        assert place.slots == 2
        assert place.warm(()) == []
        assert place.submit(call(pid)).result(60) != os.getpid()
        place.renew()
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


def test_dask_cluster_when_its_scheduler_is_lost_then_nobody_is_blamed_and_it_is_found_again():
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
    with ended(worker), ended(scheduler), cluster(options, LogOptions()) as place:
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


def test_warm_when_an_engine_kills_the_worker_then_it_is_one_line(worker):
    with pytest.raises(PluginError, match="the worker died while it loaded its models"):
        worker._call(die)
    assert worker.submit(call(pid)).result(60) != os.getpid()


def test_worker_when_it_dies_often_then_its_nanny_is_never_taken_for_lost(worker):
    wait = dask.config.get("distributed.deploy.lost-worker-timeout")
    assert dask.utils.parse_timedelta(wait) > 24 * 3600
    nanny = next(iter(worker._cluster.workers.values()))
    for _ in range(2):
        worker.restart()
        assert worker.submit(call(pid)).result(60) != os.getpid()
    assert next(iter(worker._cluster.workers.values())) is nanny
