"""The `bench` command: what counts for nothing is refused; a run is printed, kept and drawn."""

from __future__ import annotations

import contextlib
import signal
from subprocess import DEVNULL

import psutil
import pytest
from plants import COMMAND, DEADLINE_SECONDS, environment, run, wait_until

from flows.bench.saved import load


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--limit", "3", "--threads", "2"),
            "`--threads` and `--limit`: only with `--recognition`; add `--recognition LABELS.csv`",
        ),
        (("--checkpoint", "mine"), "`--checkpoint`: only with"),
        (
            ("--recognition", "labels.csv", "--drops", "60"),
            "`--drops`: only without `--recognition`; leave out either",
        ),
        (("ledger", "--show", "run.json", "--load", "5"), "`PARTS` and `--load`: only without"),
        (("ledgers",), "no part is called 'ledgers'; there are: limit, original, "),
        (("ledger", "--days", "5"), "`--days` says nothing of ledger; leave it out"),
        (("--show", "none.json"), "none.json cannot be read: No such file or directory"),
    ],
)
def test_bench_when_something_would_count_for_nothing_then_refused_in_one_line(arguments, words):
    done = run("bench", *arguments)

    assert done.returncode == 78
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "target" not in done.stdout


def test_bench_when_run_then_is_printed_kept_drawn_and_shown_again(tmp_path):
    kept, drawn = tmp_path / "run.json", tmp_path / "plots"

    done = run(
        *("bench", "parquet", "--size", "quick", "--days", "3", "--rounds", "1"),
        *("--save", str(kept), "--plots", str(drawn)),
    )

    assert done.returncode == 0, done.stderr
    assert "making 3 days of 60 rows" in done.stderr
    table = done.stdout[done.stdout.index("parquet ") :]
    assert "readings by day and camera, one file" in table
    assert {each.part for each in load(kept).figures} == {"parquet"}
    assert (drawn / "parquet.svg").is_file()
    again = run("bench", "--show", str(kept))
    assert again.returncode == 0, again.stderr
    assert again.stdout[again.stdout.index("parquet  ") :] == table


def test_bench_when_told_to_stop_then_ends_what_it_started():
    command = [*COMMAND, "bench", "growth", "--size", "quick"]
    process = psutil.Popen(command, env=environment(), stdout=DEVNULL, stderr=DEVNULL)
    found: list[psutil.Process] = []
    try:
        wait_until(lambda: found.extend(process.children()) or found, "a watch")
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 128 + signal.SIGTERM
        wait_until(lambda: not found[0].is_running(), "the end of the watch")
    finally:
        for each in (process, *found):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
