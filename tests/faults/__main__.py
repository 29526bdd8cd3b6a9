"""`python -m faults`: the gates, at the size that is asked for, and a table of what came out.

Exit status 1 if a gate does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from faults.gate import SEED, Gate, NotHereError, Trial, chosen
from rich.console import Console
from rich.table import Table

from flows import telemetry
from flows.configuration.settings import LogOptions

WIDTH = 160


def main() -> int:
    """Run the chosen gates; the exit status."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is full size")
    parser.add_argument("--gates", default="", help="numbers of gates; all when empty")
    parser.add_argument("--seed", type=int, default=SEED, help="of all that is left to chance")
    parser.add_argument("--folder", type=Path, help="work here and keep it; a temporary one if not")
    asked = parser.parse_args()
    try:
        gates = chosen(asked.gates)
    except ValueError as error:
        parser.error(str(error))
    telemetry.configure(LogOptions(level="error"))
    lines = [_line(gate, asked) for gate in gates]
    table = Table("gate", "size", "figures", "verdict", "s", box=None)
    for line in lines:
        table.add_row(*line)
    # A pipe has no width of its own.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    day = datetime.now(UTC).date()
    console.print(f"{day}, scale {asked.scale:g}, seed {asked.seed}", highlight=False)
    console.print(table, highlight=False, markup=False)
    return int(any(line[3] == "BROKEN" for line in lines))


def _line(gate: Gate, asked: argparse.Namespace) -> tuple[str, ...]:
    """Run one gate: its line of the table."""
    name = f"{gate.number} {gate.title}"
    print(f"gate {name} ...", file=sys.stderr, flush=True)  # noqa: T201
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"markwatch-gate-{gate.number}-") as temporary:
        folder = asked.folder / f"gate-{gate.number}" if asked.folder else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with Trial(folder, asked.scale, asked.seed) as trial:
                figures = gate.run(trial)
            found = (figures.size, figures.line(), "holds")
        except NotHereError as reason:
            found = ("", str(reason), "not here")
        except Exception as error:
            traceback.print_exc()
            found = ("", f"{type(error).__name__}: {error}"[:1500], "BROKEN")
    return name, *found, f"{time.monotonic() - began:.0f}"


if __name__ == "__main__":
    sys.exit(main())
