"""The supervised worker: a crash or a hang costs what it held, and the worker comes back."""

from __future__ import annotations

import os
import time

import dask
import pytest
from dasktasks import call, die, hang, pid

from flows.cluster.place import NotBegunError, WorkerLostError
from flows.cluster.worker import SupervisedWorker
from flows.configuration.settings import ClusterOptions, LogOptions
from stages.errors import PluginError

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]


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
    worker.restart(())
    with pytest.raises(WorkerLostError):
        hung.result(60)
    assert time.monotonic() - begin < 30
    assert worker.submit(call(pid)).result(60) != first


def test_warm_when_an_engine_kills_the_worker_then_it_is_one_line(worker):
    with pytest.raises(PluginError, match="the worker died while it loaded its models"):
        worker._result(worker._reach().submit(die, pure=False), 60)
    assert worker.submit(call(pid)).result(60) != os.getpid()


def test_worker_when_it_dies_often_then_its_nanny_is_never_taken_for_lost(worker):
    wait = dask.config.get("distributed.deploy.lost-worker-timeout")
    assert dask.utils.parse_timedelta(wait) > 24 * 3600
    nanny = next(iter(worker._cluster.workers.values()))
    for _ in range(2):
        worker.restart(())
        assert worker.submit(call(pid)).result(60) != os.getpid()
    assert next(iter(worker._cluster.workers.values())) is nanny


def test_take_back_when_chunks_wait_behind_others_then_only_those_are_given_up(worker):
    held = [worker.submit(dask.delayed(time.sleep, pure=False)(1)) for _ in range(2)]
    behind = [worker.submit(call(pid)) for _ in range(2)]
    worker.take_back(begun=2)
    for future in behind:
        with pytest.raises(NotBegunError):
            future.result(60)
    assert [future.result(60) for future in held] == [None, None]
