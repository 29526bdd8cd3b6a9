"""The demo as a stranger runs it: everything agrees, and its last lines open the files."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import urllib3
from plants import COMMAND, environment, run, wait_until

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def test_demo_when_run_then_all_counts_agree_and_its_lines_open_the_files(tmp_path):
    root = tmp_path / "demo"
    done = subprocess.run(
        [*COMMAND, "demo", "--root", str(root)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(COLUMNS="160"),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    expected = len((SAMPLES / "expected.csv").read_text().splitlines())
    for name in ("expected", "MQTT", "CSV", "Parquet", "ledger"):
        assert re.search(rf"^{name} +{expected} readings", done.stdout, re.MULTILINE), done.stdout
    right, wrong = re.search(r"codes +(\d+) of \d+ right, (\d+) wrong", done.stdout).groups()
    assert int(right) >= 0.8 * (expected - 1)
    assert int(wrong) == 0

    assert re.search(r"^page +http://127\.0\.0\.1:\d+/ ", done.stdout, re.MULTILINE), done.stdout

    lines = done.stdout.split("open them with\n")[1].splitlines()
    for line in lines[:2]:
        opened = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
        assert "MW-2048-1175" in opened.stdout
        assert "damaged.png" in opened.stdout
    assert list(Path(lines[2].split()[-1]).parent.glob("*.csv"))

    again = run("status", "--root", str(root))
    assert f"{expected} pictures seen = {expected} reported + 0 in work" in again.stdout


def test_demo_when_it_stays_then_the_page_is_served_until_it_is_interrupted(tmp_path):
    root = tmp_path / "demo"
    sample = SAMPLES / "labels-01.png"
    with (tmp_path / "out").open("w+") as out:
        process = subprocess.Popen(
            [*COMMAND, "demo", "--stay", "--root", str(root)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(COLUMNS="160"),
        )
        try:
            said = (tmp_path / "out").read_text
            wait_until(lambda: "stays  " in said() or process.poll() is not None, "all read", 240)
            url = re.search(r"^stays +(http://\S+/);", said(), re.MULTILINE)[1]
            page = urllib3.request("GET", url, retries=False)
            assert page.status == 200 and b"/static/live.js" in page.data
            shutil.copy(sample, root / "data" / "inbox" / "labels" / "one-more.png")
            query = f"{url}v1/readings?image=one-more.png"
            wait_until(lambda: urllib3.request("GET", query).json()["readings"], "one more")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, said()
        finally:
            process.kill()
            process.wait()
    counts = re.findall(r"^(?:MQTT|CSV|Parquet|ledger) +(\d+) readings", said(), re.MULTILINE)
    expected = len((SAMPLES / "expected.csv").read_text().splitlines())
    assert counts == [str(expected + 1)] * 4


def test_demo_when_the_folder_holds_something_else_then_refuses_and_keeps_it(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    done = run("demo", "--root", str(tmp_path))
    assert done.returncode == 78
    assert "something other than a demo" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "precious"
