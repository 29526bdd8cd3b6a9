"""A root with a past, made in-process: real ledger, real files, real sinks, no recogniser."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from made import MORNING, Clock, failure, image, report

from flows.archive import Archive, filing
from flows.audit.proof import differences
from flows.clocks import Clocks
from flows.commands import site
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.deliver import Delivery
from flows.ledger.log import Claim, Ledger, Outcome
from stages.ports import Site
from stages.records import Failure, Report

SINKS = "station: st\nsinks: {mqtt: null, csv: {}, parquet: {max_rows: 7, max_seconds: 0}}\n"
WAIT = 30.0


class Account:
    """The root; `ledger` is open between `start` and `stop`."""

    def __init__(self, folder: Path, text: str = SINKS) -> None:
        if not (folder / "conf").is_dir():
            site.init(folder)
            (folder / "conf" / "markwatch.yaml").write_text(text)
        self.layout = Layout(folder)
        self.root = self.layout.root
        self.settings = settings.load(folder)
        self.clock = Clock()
        for path in (self.layout.work, self.layout.archive, self.layout.failed):
            path.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Account:
        self.ledger = Ledger(self.layout.ledger, self.clock, root=self.root)
        self.ledger.__enter__()
        self.archive = Archive(self.layout, self.ledger)
        return self

    def __exit__(self, *error: object) -> None:
        self.ledger.__exit__(*error)

    def claim(self, number: int, *, camera: str = "cam") -> None:
        """A picture that is in work."""
        made = self.image(number, camera=camera)
        self.ledger.intend(
            [Claim(made.id, "/inbox/x", self.work(number), camera, made.name, made.size, 1)]
        )
        Path(made.path).write_bytes(self.pixels(number))
        self.ledger.claimed([made])

    def image(self, number: int, **changes):
        pixels = self.pixels(number)
        return image(
            number,
            path=str(self.root / self.work(number)),
            sha256=hashlib.sha256(pixels).hexdigest(),
            size=len(pixels),
            **changes,
        )

    def report(self, number: int, *, camera: str = "cam", marks: int = 1, failed: bool = False):
        """Report a claimed picture and file it."""
        made = failure(number) if failed else report(number, marks=marks, code=f"KX{number:06d}")
        self.commit(replace(made, image=self.image(number, camera=camera)))

    def commit(self, result: Report | Failure) -> None:
        outcome = Outcome(result, self.archive.target(result))
        self.ledger.commit([outcome], "st")
        work = Path(result.image.path).relative_to(self.root).as_posix()
        assert self.archive.file([filing(outcome, work)]) == []

    def deliver(self) -> None:
        """Let every sink have all that it is owed."""
        clocks = Clocks(self.clock, time.monotonic)
        for name, choice in self.settings.sinks.items():
            one = Delivery(
                name,
                choice,
                Site("st", str(self.root)),
                self.ledger,
                self.settings.delivery,
                clocks,
            )
            one.open()
            one.start()
            one.drain()
            assert one.settled(WAIT)
            one.stop(WAIT)

    def past(self) -> None:
        """Two days, two cameras, failures, several marks, one picture in work; all delivered."""
        for day in range(2):
            self.clock.now = MORNING + timedelta(days=day)
            for number in range(10 * day + 1, 10 * day + 11):
                camera = "cam" if number % 3 else "other"
                self.claim(number, camera=camera)
                self.report(number, camera=camera, marks=1 + number % 2, failed=number % 5 == 0)
            self.deliver()
        self.claim(99)

    def wrong(self, **options) -> list[str]:
        """What the audit names."""
        return [str(each) for each in differences(self.layout, self.settings, **options)]

    @staticmethod
    def work(number: int) -> str:
        return f"data/work/{number}.png"

    @staticmethod
    def pixels(number: int) -> bytes:
        return f"pixels {number}".encode() * (number + 1)
