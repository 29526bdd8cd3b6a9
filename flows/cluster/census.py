"""Which workers of a Dask cluster may read for this station, and why not the others.

Asked again and again, because workers come and go. A worker that does not suit is let be, for it
may work for others; it is only not used here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cluster.introduction import Introduction, introduce
from flows.cluster.loading import offers
from flows.files import durable
from stages.records import Stage

if TYPE_CHECKING:
    from distributed import Client

ANSWER_SECONDS = 10.0
"""A worker that is so long in saying who it is has no thread free, or hangs."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that may be used: its threads, and the resources that it was started with."""

    threads: int
    resources: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Roll:
    """The workers of a cluster by address: those that are used, and why others are not."""

    used: Mapping[str, Worker] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        """How many chunks are worked on at the same time."""
        return sum(worker.threads for worker in self.used.values())

    def without(self, broken: Mapping[str, str]) -> Roll:
        """The same, but these are refused as well."""
        used = {address: one for address, one in self.used.items() if address not in broken}
        also = {address: why for address, why in broken.items() if address in self.used}
        return Roll(used, {**self.refused, **also})

    def words(self) -> str | None:
        """One line on those that are not used, with the remedy for the first."""
        if not self.refused:
            return None
        address, why = next(iter(sorted(self.refused.items())))
        count = len(self.refused) + len(self.used)
        return f"{len(self.refused)} of {count} Dask workers not used; {address}: {why}"

    def lacks(self, wanted: Mapping[Stage, Mapping[str, float]]) -> str | None:
        """One line on a stage that no worker in use can run, with the remedy."""
        for stage, amounts in wanted.items():
            if not any(offers(worker.resources, amounts) for worker in self.used.values()):
                told = " ".join(f"{name}={amount:g}" for name, amount in amounts.items())
                return (
                    f"no Dask worker offers {told}, which cluster.resources asks for {stage}: "
                    f"start one with `dask worker ... --resources {told!r}`"
                )
        return None


class Census:
    """Takes the roll; `work` is the folder that workers must see, None if they need not."""

    def __init__(self, work: Path | None) -> None:
        self._work = work
        self._own = version("markwatch")
        self._met: set[tuple[str, Any]] = set()

    def take(self, client: Client) -> Roll:
        """Ask the scheduler who is there, and those that are new who they are.

        Raises:
            OSError: the scheduler does not answer.
        """
        there = client.scheduler_info(n_workers=-1)["workers"]
        told = {address: (address, about["id"]) for address, about in there.items()}
        strangers = [address for address, who in told.items() if who not in self._met]
        refused = self._ask(client, strangers) if strangers else {}
        self._met = {who for address, who in told.items() if address not in refused}
        used = {
            address: Worker(about["nthreads"], about["resources"])
            for address, about in there.items()
            if address not in refused
        }
        return Roll(used, refused)

    def _ask(self, client: Client, strangers: Iterable[str]) -> dict[str, str]:
        """Why some of these cannot be used."""
        from distributed import wait

        token = secrets.token_hex(8)
        sign = self._work and self._work / f".{token}{durable.PART}"
        if sign:
            durable.make_folder(sign.parent)
            sign.write_text(token, encoding="ascii")
        try:
            tasks = {
                address: client.submit(
                    introduce,
                    sign and str(sign),
                    workers=[address],
                    allow_other_workers=False,
                    pure=False,
                )
                for address in strangers
            }
            with suppress(TimeoutError):
                wait(list(tasks.values()), timeout=ANSWER_SECONDS)
            found = {address: self._fault(task, token) for address, task in tasks.items()}
        finally:
            if sign:
                sign.unlink(missing_ok=True)
        return {address: why for address, why in found.items() if why}

    def _fault(self, task: Any, token: str) -> str | None:
        if task.status == "error":
            error = task.exception()
            if isinstance(error, ImportError | PackageNotFoundError):
                return f"markwatch {self._own} is not installed there: install it, or stop it"
            return f"it cannot be asked ({type(error).__name__}: {error}): see its log"
        if task.status != "finished":
            return f"no answer within {ANSWER_SECONDS:g} s: it is busy or hangs; see its log"
        told: Introduction = task.result()
        if told.version != self._own:
            return (
                f"markwatch {told.version} is installed there, {self._own} here: "
                "install the same release on both"
            )
        if self._work and told.sign != token:
            return (
                f"it does not see the pictures in {self._work}: mount that folder there at the "
                "same path, or set `cluster.pictures: bytes`"
            )
        return None
