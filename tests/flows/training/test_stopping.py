"""A stop of training, also of its whole process group: soon, clean, and with a way to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from itertools import repeat
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from plants import COMMAND, environment, wait_until

from flows.training import fit, validation
from flows.training.network import Network, Shape
from flows.training.stopping import STATE, stoppable
from flows.training.stream import Batch
from flows.training.validation import TIERS, Score, ValidationSet

SHAPE = Shape(
    rows=16, columns=32, patch_rows=16, width=32, layers=1, decoder_layers=1, head_width=16
)
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def silent(line: str) -> None: ...


@BOTH
def test_run_when_stopped_then_says_how_to_go_on_and_the_old_handlers_are_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, said.append):
        signal.raise_signal(number)
    (tmp_path / STATE).touch()
    with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, said.append):
        signal.raise_signal(number)
    assert said == [
        "stopped; nothing was learned yet, and the same command begins anew",
        f"stopped; {tmp_path} keeps what was learned, and the same command goes on",
    ]
    assert signal.getsignal(number) is before


@BOTH
def test_stop_when_held_then_comes_after_the_block(tmp_path: Path, number: signal.Signals) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, silent) as stop:
        with stop.held():
            os.kill(os.getpid(), number)
            done.append("block")
        done.append("after")
    assert done == ["block"]


def test_stop_when_held_and_another_thread_gets_it_then_comes_after_the_block(
    tmp_path: Path,
) -> None:
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    done = []
    try:
        with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, silent) as stop:
            with stop.held():
                os.kill(os.getpid(), signal.SIGTERM)
                wait_until(lambda: stop._asked, "the stop is known")
                done.append("block")
            done.append("after")
    finally:
        ended.set()
        other.join()
    assert done == ["block"]


def test_stop_when_python_lost_it_then_comes_after_the_next_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    done = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: done.append(lost.exc_type.__name__))
    with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, silent) as stop:
        Careless()
        with stop.held():
            done.append("block")
        done.append("after")
    assert done == ["KeyboardInterrupt", "block"]


WORKER = """
import os, signal
from pathlib import Path
from flows.training.stopping import step_aside, stoppable
with stoppable(Path("none"), print) as stop, stop.held():
    worker = os.fork()
    if worker == 0:
        # a worker of torch has a handler of its own before it calls anything of ours
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        step_aside()
        os._exit(7 if os.getpgrp() == os.getpid() else 8)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
"""


def test_worker_when_stopped_before_it_is_ready_then_it_lives_in_a_group_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "7\n"


def test_fit_when_stopped_while_it_evaluates_then_keeps_what_was_learned(tmp_path: Path) -> None:
    class Stopped:
        def score(self, network: Network, device: torch.device) -> tuple[Score, ...]:
            signal.raise_signal(signal.SIGTERM)
            raise AssertionError("it went on")

    batch = Batch(torch.zeros(4, 16, 32, dtype=torch.uint8), ("A",) * 4)
    fitting = fit.Run(tmp_path, Network(SHAPE), fit.FitOptions(samples=8), torch.device("cpu"))
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, said.append):
        fitting.fit(repeat(batch), Stopped(), silent)
    assert "keeps what was learned" in said[0]
    again = fit.Run(tmp_path, Network(SHAPE), fit.FitOptions(samples=8), torch.device("cpu"))
    assert again.progress.samples == 8


def test_validation_set_when_stopped_while_it_is_rendered_then_none_is_left_and_the_next_is_whole(
    tmp_path: Path, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "_PAINTED", 13)
    kept = np.savez

    def stopped(path: Path, **arrays: object) -> None:
        kept(path, **arrays)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(np, "savez", stopped)
    with pytest.raises(KeyboardInterrupt), stoppable(tmp_path, silent):
        ValidationSet.of(tmp_path, material, (16, 32), 2, silent)
    monkeypatch.setattr(np, "savez", kept)
    assert not (tmp_path / "validation.npz").exists()
    again = ValidationSet.of(tmp_path, material, (16, 32), 2, silent)
    assert len(again.texts) == 2 * len(TIERS)


@pytest.mark.parametrize(
    ("after", "number"),
    [
        ("loading", signal.SIGINT),
        ("loading", signal.SIGTERM),
        ("rendering", signal.SIGTERM),
        ("fitting", signal.SIGTERM),
    ],
)
def test_train_when_its_process_group_is_stopped_then_all_of_it_ends(
    tmp_path: Path, material: Path, after: str, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    if after == "fitting":
        run.mkdir()
        shape = Shape()
        pictures = np.zeros((len(TIERS), shape.rows, shape.columns), np.uint8)
        texts, tiers = np.array(["A"] * len(TIERS)), np.arange(len(TIERS))
        np.savez(run / "validation.npz", pictures=pictures, texts=texts, tiers=tiers)
    options = ("--material", str(material), "--processes", "2", "--threads", "1")
    with subprocess.Popen(
        [*COMMAND, "train", str(run), *options],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith(after))
        os.killpg(process.pid, number)
        said = process.communicate(timeout=90)[1].splitlines()

    assert process.returncode == 130
    # the stop may come before the first batch is asked for
    learned = (run / "state.pt").exists()
    assert not learned or after == "fitting"
    words = f"{run} keeps what was learned" if learned else "nothing was learned yet"
    assert [line for line in said if not line.startswith(after)] == [
        f"stopped; {words}, and the same command {'goes on' if learned else 'begins anew'}"
    ]
    assert (run / STATE).exists() == learned
    assert process.pid not in {_session(each) for each in psutil.pids()}


def _session(process: int) -> int | None:
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return None
