"""A plant for black-box tests: a root of its own and `markwatch watch` as a real process in it.

The process finds the faulty plug-ins of `tests/plugins` through `PYTHONPATH`. What is waited for
is a line of the log, the state of the ledger, or a file, always with a deadline.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

from flows.commands import site
from flows.configuration.settings import Layout

DEADLINE_SECONDS = 90.0
TICK_SECONDS = 0.02
PLUGINS = Path(__file__).parent / "plugins"
COMMAND = (sys.executable, "-W", "error::SyntaxWarning", "-c", "from flows.cli import main; main()")


def environment(**extra: str) -> dict[str, str]:
    """This environment without a site's settings, and with the faulty plug-ins."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MARKWATCH")}
    paths = [str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**clean, "PYTHONPATH": os.pathsep.join(paths), **extra}


def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a markwatch command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        env=environment(**extra),
        check=False,
    )


def wait_until(true: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition of the outside world that tells nobody when it becomes true."""
    never = threading.Event()
    for _ in range(int(seconds / TICK_SECONDS)):
        if true():
            return
        never.wait(TICK_SECONDS)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class Plant:
    """A root, and the watch process that may run in it."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        if not self.layout.conf.exists():
            site.init(folder)
        self.root = self.layout.root
        self.log: list[dict] = []
        self.process: subprocess.Popen[str] | None = None

    def configure(self, text: str, *, recipe: str | None = None) -> None:
        """Write the site's settings, and the default recipe."""
        (self.layout.conf / "markwatch.yaml").write_text(text)
        if recipe is not None:
            (self.layout.recipes / "default.yaml").write_text(recipe)

    def inbox(self, camera: str) -> Path:
        """A camera's folder, made if need be."""
        folder = self.root / "data" / "inbox" / camera
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, *arguments: str, **extra: str) -> None:
        """Start `markwatch watch` and follow its log; does not wait for it."""
        self.log = []
        self.process = subprocess.Popen(
            [*COMMAND, "watch", "--root", str(self.root), *arguments],
            env=environment(**extra),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._follow, args=(self.process, self.log))
        self._reader.start()

    @staticmethod
    def _follow(process: subprocess.Popen[str], log: list[dict]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            try:
                log.append(json.loads(line))
            except json.JSONDecodeError:
                log.append({"event": line.rstrip()})

    def wait_for(self, event: str) -> dict:
        """Wait for a line of the log."""
        self.wait_until(lambda: self.logged(event) or self.ended(), event)
        assert self.logged(event), self.log
        return self.logged(event)[0]

    def wait_until(self, true: Callable[[], object], what: str) -> None:
        """Wait for a condition, and show the log when it does not come."""
        try:
            wait_until(true, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log: {self.log[-12:]}") from None

    def logged(self, event: str) -> list[dict]:
        """The lines of the log that tell of an event."""
        return [line for line in self.log if line["event"] == event]

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process is None or self.process.poll() is not None

    def stop(self) -> int:
        """End it by SIGTERM; its exit status."""
        assert self.process is not None
        if not self.ended():
            self.process.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self) -> int:
        """Wait for its own end; its exit status."""
        assert self.process is not None
        assert self.process.stderr is not None
        status = self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        self.process.stderr.close()
        self.process = None
        return status

    def kill(self) -> None:
        """End it and its workers by SIGKILL, as a power cut would."""
        assert self.process is not None
        # It may have ended by itself just now.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.finish()

    def status(self) -> dict:
        """What `markwatch status --json` prints."""
        done = run("status", "--json", "--root", str(self.root))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def query(self, sql: str) -> list[tuple]:
        """Ask the ledger."""
        with closing(sqlite3.connect(f"{self.layout.ledger.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()

    def reported(self) -> int:
        """How many pictures are archived or filed as failed, by the ledger; 0 without one."""
        try:
            return self.query("SELECT COUNT(*) FROM images WHERE state='archived'")[0][0]
        except sqlite3.OperationalError:
            return 0

    def claimed(self, condition: str) -> bool:
        """Whether a claimed picture satisfies this, by the ledger; False without one."""
        try:
            return bool(self.query(f"SELECT 1 FROM images WHERE state='claimed' AND {condition}"))
        except sqlite3.OperationalError:
            return False

    def ledger_ids(self) -> list[str]:
        return [key for (key,) in self.query("SELECT id FROM rows ORDER BY seq")]

    def csv_rows(self) -> list[dict]:
        rows = []
        for path in sorted((self.root / "data" / "out" / "csv").glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                rows.extend(csv.DictReader(file))
        return rows

    def parquet_rows(self) -> list[dict]:
        rows = []
        for path in sorted((self.root / "data" / "out" / "parquet" / "recent").rglob("*")):
            if path.is_file():
                rows.extend(pq.read_table(path, partitioning=None).to_pylist())
        return sorted(rows, key=lambda row: row["seq"])

    def filed(self, top: str) -> list[Path]:
        """The pictures under archive/ or failed/."""
        folder = self.root / "data" / top
        return sorted(
            path
            for path in folder.rglob("*")
            if path.is_file() and not re.search(r"\.reason\.json$", path.name)
        )
