"""The demo: the production flow, fed by a simulated camera and heard by a SCADA client.

Four parts talk only through what a plant has: an embedded MQTT broker on loopback, `markwatch
watch` as a process of its own, a camera that writes pictures into `inbox/<camera>/` the way
cameras do, and a subscriber that shows readings as they arrive. A browser may look on. At the end
the counts and ids of MQTT, CSV, Parquet and the ledger are held against what was dropped.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flows import vocabulary
from flows.commands import site
from flows.commands.broker import EmbeddedBroker
from flows.commands.demo_account import conclude
from flows.commands.reading import COLOURS, code_cell, confidence_cell
from flows.commands.subscriber import Subscriber
from flows.configuration.settings import Layout
from flows.serve.options import ServeOptions
from stages.errors import ConfigError, MarkwatchError

MARKER = ".markwatch-demo"
START_SECONDS = 180.0
READ_SECONDS = 240.0
STOP_SECONDS = 60.0
CHUNKS = 8
CHUNK_SECONDS = 0.05
DAMAGED = "damaged.png"


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to be dropped, and the code that it carries; None for the damaged one."""

    path: Path
    camera: str
    name: str
    code: str | None


def demo(root: Path, *, stay: bool = False) -> int:
    """Run the demo in a fresh root; 0, or 1 when the four counts or any id differ.

    With `stay` the station goes on until Ctrl-C, and what was dropped meanwhile counts too.

    Raises:
        MarkwatchError: the samples are missing, the folder is in use, or a part does not start.
    """
    checkout = Path(__file__).resolve().parents[2]
    samples = _samples(checkout / "data" / "samples")
    layout = _fresh_root(root, checkout)
    console = Console()
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            # The watch must not be left behind.
            signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    with EmbeddedBroker(port=0) as broker, Subscriber(broker.port) as subscriber:
        console.print(f"broker     127.0.0.1:{broker.port} (embedded)", highlight=False)
        console.print("watch      starting: loading Dask and the models", highlight=False)
        process = _start_watch(layout, broker.port)
        try:
            _wait_online(process, subscriber, layout)
            console.print(
                f"watch      process {process.pid}, log {layout.root}/watch.log", highlight=False
            )
            words = "until Ctrl-C" if stay else "for as long as this runs; --stay keeps it"
            console.print(f"page       {_page(layout)} ({words})", highlight=False)
            camera = threading.Thread(target=_drop, args=(samples, layout), daemon=True)
            camera.start()
            _show(console, samples, subscriber, process)
            camera.join()
            if stay:
                _stay(console, layout, process)
        finally:
            stopped = _stop(process)
        heard = subscriber.rows()
    expected = {(sample.camera, sample.name): sample.code for sample in samples}
    return conclude(console, layout, expected, heard, stopped=stopped, more=stay)


def _samples(folder: Path) -> list[Sample]:
    listing = folder / "expected.csv"
    if not listing.is_file():
        raise ConfigError(f"the demo needs the sample pictures in {folder}: run it from a checkout")
    with listing.open(newline="", encoding="utf-8") as file:
        samples = [
            Sample(folder / row["file"], row["camera"], row["file"], row["code"])
            for row in csv.DictReader(file)
        ]
    whole = next(sample for sample in samples if sample.path.suffix == ".png")
    return [*samples, Sample(whole.path, whole.camera, DAMAGED, None)]


def _fresh_root(root: Path, checkout: Path) -> Layout:
    if root.exists():
        if any(root.iterdir()) and not (root / MARKER).is_file():
            raise ConfigError(f"{root} holds something other than a demo; choose another --root")
        shutil.rmtree(root)
    site.init(root)
    (root / MARKER).touch()
    layout = Layout(root)
    shutil.copytree(checkout / "conf" / "recipes", layout.recipes, dirs_exist_ok=True)
    return layout


def _start_watch(layout: Layout, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "MARKWATCH__STATION": "demo",
        "MARKWATCH__SINKS__MQTT__HOST": "127.0.0.1",
        "MARKWATCH__SINKS__MQTT__PORT": str(port),
        "MARKWATCH__SERVE__ENABLED": "true",
        "MARKWATCH__SERVE__PORT": str(_free_port()),
    }
    command = [sys.executable, "-c", "from flows.cli import main; main()", "watch"]
    with (layout.root / "watch.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--root", str(layout.root)],
            env=environment,
            stdout=log,
            stderr=log,
            # A Ctrl-C is for the demo, which then ends the watch once.
            start_new_session=True,
        )


def _free_port() -> int:
    """The usual port of the page if nobody has it, else 0 for any."""
    port: int = ServeOptions.model_fields["port"].default
    try:
        with socket.create_server(("127.0.0.1", port)):
            return port
    except OSError:
        return 0


def _page(layout: Layout) -> str:
    """Where the page is, by the log of the watch."""
    for line in (layout.root / "watch.log").read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if told["event"] == "serving":
                return str(told["url"])
    raise MarkwatchError(f"the page is not served: see {layout.root}/watch.log")


def _stay(console: Console, layout: Layout, process: subprocess.Popen[bytes]) -> None:
    """Let the station run until somebody ends it."""
    console.print()
    console.print(
        f"stays      {_page(layout)}; drop pictures into {layout.root}/data/inbox/press-3/; "
        "Ctrl-C ends it",
        highlight=False,
        soft_wrap=True,
    )
    with contextlib.suppress(KeyboardInterrupt):
        process.wait()


def _wait_online(process: subprocess.Popen[bytes], subscriber: Subscriber, layout: Layout) -> None:
    end = time.monotonic() + START_SECONDS
    while not subscriber.online.wait(0.2):
        if process.poll() is not None or time.monotonic() > end:
            tail = (layout.root / "watch.log").read_text(errors="replace").splitlines()[-5:]
            raise MarkwatchError("\n".join(["the watch did not start; the end of its log:", *tail]))


def _stop(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def _drop(samples: Sequence[Sample], layout: Layout) -> None:
    """Write each picture as some camera would: in slow pieces, renamed into place, or at once."""
    inbox = layout.root / "data" / "inbox"
    for number, sample in enumerate(samples):
        folder = inbox / sample.camera
        folder.mkdir(parents=True, exist_ok=True)
        content = sample.path.read_bytes()
        target = folder / sample.name
        if sample.code is None:
            target.write_bytes(content[: len(content) // 2])
        elif number % 3 == 0:
            with target.open("wb") as file:
                step = len(content) // CHUNKS + 1
                for begin in range(0, len(content), step):
                    file.write(content[begin : begin + step])
                    file.flush()
                    time.sleep(CHUNK_SECONDS)
        elif number % 3 == 1:
            partial = target.with_name(target.name + ".part")
            partial.write_bytes(content)
            partial.rename(target)
        else:
            target.write_bytes(content)


def _show(
    console: Console,
    samples: Sequence[Sample],
    subscriber: Subscriber,
    process: subprocess.Popen[bytes],
) -> None:
    expected = {(sample.camera, sample.name): sample.code for sample in samples}
    end = time.monotonic() + READ_SECONDS
    with Live(console=console, auto_refresh=False) as live:
        while True:
            rows = subscriber.rows()
            shown = sorted(rows.values(), key=lambda row: row["seq"])
            done = {(row["camera"], row["image"]) for row in shown} >= expected.keys()
            if done or time.monotonic() > end or process.poll() is not None:
                live.update(_table(shown, expected), refresh=True)
                return
            # A terminal shows the newest; the whole table stays when all are there.
            live.update(_table(shown[-max(1, console.height - 6) :], expected), refresh=True)
            time.sleep(0.2)


def _table(rows: Sequence[vocabulary.Row], expected: dict[tuple[str, str], str | None]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("seq", "camera", "image", "code", "status", "conf.", "should be"):
        table.add_column(head, no_wrap=True)
    for row in rows:
        code = expected.get((row["camera"], row["image"]))
        right = row["code"] == code
        table.add_row(
            str(row["seq"]),
            row["camera"],
            Text(row["image"]),
            code_cell(row),
            Text(row["status"], style=COLOURS[row["status"]]),
            confidence_cell(row),
            Text("" if right else code or "damaged", style="dim"),
        )
    return table
