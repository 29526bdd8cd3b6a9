"""Four engines read `out/` in a loop while parts are written and the writer is killed.

No read may fail, see a row twice, or see fewer rows than the one before it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from faults.account import account
from faults.dripping import Drip
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE
from faults.reader import ENGINES
from plants import Plant, environment

READS = 5_000
READS_A_ROUND = 500
"""Then a fresh root, or most of the time would go into reading ever more parts."""

PER_SECOND = 20.0
CAMERAS = 4
LONGEST_SECONDS = 1.5
"""A life goes on for up to so long after its first report, and is killed."""


def readers(trial: Trial) -> Figures:
    """Let the engines read while a plant writes, dies and starts again, until they are through."""
    total = trial.of(READS, 4 * 12)
    rounds = -(-total // READS_A_ROUND)
    each = -(-total // (rounds * len(ENGINES)))
    parts = rows = kills = 0
    for number in range(rounds):
        plant = trial.plant(f"plant-{number}", SITE, RECIPE)
        processes = {engine: _read(plant.root, engine, each) for engine in ENGINES}
        try:
            with Drip(plant, PER_SECOND, CAMERAS) as drip:
                kills += _live_and_die(trial, plant, list(processes.values()))
            for engine, process in processes.items():
                _judge(trial, engine, process)
        finally:
            for process in processes.values():
                process.kill()
        plant.start("--once")
        trial.expect(plant.finish() == 0, f"the last run ended badly: {plant.log[-3:]}")
        account(plant, drip.dropped).done()
        rows += len(plant.ledger_ids())
        parts += len(list(Path(plant.root, "data/out/parquet").rglob("*.parquet")))
    return Figures(
        size=f"{rounds * each * len(ENGINES):,} reads by {', '.join(ENGINES)}",
        measured={
            "errors": 0,
            "fewer rows than before": 0,
            "a row twice": 0,
            "kills meanwhile": kills,
            "parts": parts,
            "rows": rows,
        },
    )


GATE = Gate(11, "readers", readers)


def _read(root: Path, engine: str, reads: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "faults.reader", engine, str(root), str(reads)],
        env=environment(PYTHONPATH=":".join(sys.path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _live_and_die(trial: Trial, plant: Plant, processes: list[subprocess.Popen[str]]) -> int:
    """Start and kill the plant until all have read enough; how many kills."""
    kills = 0
    while not kills or any(process.poll() is None for process in processes):
        before = plant.reported()
        plant.start()
        plant.wait_until(lambda before=before: plant.reported() > before, "a report")
        threading.Event().wait(trial.chance.uniform(0, LONGEST_SECONDS))
        plant.kill()
        kills += 1
    return kills


def _judge(trial: Trial, engine: str, process: subprocess.Popen[str]) -> None:
    words, complaint = process.communicate()
    trial.expect(process.returncode == 0, f"{engine}: {complaint[-500:]}")
    found = json.loads(words)
    trial.expect(not found["errors"], f"{engine}: {len(found['errors'])}: {found['errors'][:2]}")
    trial.expect(not found["back"], f"{engine}: {found['back']} reads saw fewer rows than before")
    trial.expect(not found["twice"], f"{engine}: {found['twice']} reads saw a row twice")
    trial.expect(found["rows"], f"{engine} saw no rows")
