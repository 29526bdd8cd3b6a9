"""The TCP trigger: one command a line from a PLC or a camera, one answer a line (docs/trigger.md).

Every connection has a deadline for its silence and a limit for its lines; commands of one
connection are answered in order. What is said wrongly is answered `NG`, with the reason.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import structlog

from flows.files.filenames import printable
from flows.serve.desk import Desk
from flows.serve.health import Health
from flows.serve.options import TriggerOptions
from flows.serve.problems import RefusedError
from flows.serve.reports import Row, Ticket
from flows.serve.shelf import Shelf
from stages.errors import ConfigError

ENDING = b"\r\n"
MOST_STRANGERS = 1000
"""So many addresses that may not speak are told of in the log, each once."""

COMMANDS = "READ camera file, LAST camera, EXPECT camera code, STATUS"


class Trigger:
    """Listens once `open`; each connection is a task of the serving loop."""

    def __init__(
        self, options: TriggerOptions, station: str, desk: Desk, shelf: Shelf, health: Health
    ) -> None:
        self._options = options
        self._station = station
        self._desk = desk
        self._shelf = shelf
        self._health = health
        self._allowed = [ipaddress.ip_network(each) for each in options.allow]
        self._connected: dict[asyncio.Task[None], str] = {}
        self._strangers: set[str] = set()
        self._log = structlog.get_logger("markwatch.trigger")

    async def open(self) -> int:
        """Listen; the port.

        Raises:
            ConfigError: the address is taken, or is none of this machine's.
        """
        try:
            self._server = await asyncio.start_server(
                self._speak,
                self._options.host,
                self._options.port,
                limit=self._options.max_line_bytes,
            )
        except OSError as error:
            raise ConfigError(
                f"serve.trigger: cannot listen on {self._options.host}:{self._options.port} "
                f"({error.strerror or error}): choose another port or host"
            ) from error
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """End every connection."""
        self._server.close()
        for task in list(self._connected):
            task.cancel()
        await asyncio.gather(*self._connected, return_exceptions=True)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer = writer.get_extra_info("peername")
        try:
            address = str(peer[0]) if peer else ""
            if not self._may_speak(address):
                if address not in self._strangers and len(self._strangers) < MOST_STRANGERS:
                    self._strangers.add(address)
                    self._log.warning("refused", address=address)
                return
            if len(self._connected) >= self._options.max_connections:
                await self._say(writer, "NG connections too many are open; close one")
                return
            own = sum(each == address for each in self._connected.values())
            if own >= self._options.max_connections_per_address:
                await self._say(writer, f"NG connections {own} of {address} are open; close one")
                return
            self._connected[task] = address
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError):
            return
        finally:
            self._connected.pop(task, None)
            writer.close()

    def _may_speak(self, address: str) -> bool:
        if not self._allowed:
            return True
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(known, "ipv4_mapped", None)
        return any((mapped or known) in network for network in self._allowed)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self._desk.reports.closing:
            try:
                line = await asyncio.wait_for(reader.readuntil(b"\n"), self._options.idle_seconds)
            except asyncio.IncompleteReadError:
                # Half a line is no command: what was cut off may have changed its meaning.
                return
            except asyncio.LimitOverrunError:
                most = self._options.max_line_bytes
                await self._say(writer, f"NG line longer than {most} bytes")
                return
            except TimeoutError:
                await self._say(writer, f"NG silence of {self._options.idle_seconds:g} s")
                return
            text = line.decode("utf-8", "replace").strip()
            if text:
                await self._say(writer, await self._answer(text))

    async def _say(self, writer: asyncio.StreamWriter, text: str) -> None:
        writer.write(printable(text).encode() + ENDING)
        # A far side that does not read must not hold its answer, and this task, for ever.
        await asyncio.wait_for(writer.drain(), self._options.idle_seconds)

    async def _answer(self, text: str) -> str:
        word, *arguments = text.split(None, 2)
        try:
            match word.upper(), arguments:
                case "READ", [camera, file]:
                    return await self._read(await self._camera(camera), file)
                case "LAST", [camera]:
                    name = await self._camera(camera)
                    rows = await asyncio.to_thread(self._shelf.last, name)
                    return spoken(rows) if rows else f"NG none no picture of {name} yet"
                case "EXPECT", [camera, code]:
                    name, wanted = await self._camera(camera), self._desk.expected(code)
                    assert wanted is not None
                    await asyncio.to_thread(self._desk.announce, name, wanted)
                    return "OK"
                case "STATUS", []:
                    return await self._status()
        except RefusedError as problem:
            return f"NG {problem.error} {problem.detail}; {problem.remedy}"
        except OSError as error:
            return f"NG disk {error.strerror or error}"
        return f"NG command {word[:40]}: write {COMMANDS}"

    async def _camera(self, name: str) -> str:
        return await asyncio.to_thread(self._desk.camera, name)

    async def _read(self, camera: str, file: str) -> str:
        if "/" in file or "\\" in file:
            return "NG file-name give the name alone: the folder is the camera's"
        ticket = Ticket(camera, printable(file))
        rows = await self._desk.reports.wait(
            ticket, self._desk.reports.expect(ticket), self._options.wait_seconds
        )
        if rows is not None:
            return spoken(rows)
        return f"NG timeout no reading of {file} within {self._options.wait_seconds:g} s"

    async def _status(self) -> str:
        found = await asyncio.to_thread(self._shelf.figures)
        images = found["images"]
        pending = max((sink["pending"] for sink in found["sinks"].values()), default=0)
        figures = (
            f"seen={images['seen']} reported={images['reported']} failed={images['failed']} "
            f"in_work={images['in_work']} pending={pending} balanced={int(found['balanced'])}"
        )
        trouble = self._health.not_ready
        if trouble is not None:
            return f"NG not-ready {trouble} {figures}"
        return f"OK {self._station} {figures}"


def spoken(rows: Sequence[Row]) -> str:
    """A picture's rows as one line: `OK code confidence`, or `NG status reason`.

    Codes of several marks are divided by `;`, and the least confidence is told; one mark that was
    not read makes it `NG`.
    """
    for row in rows:
        if row["status"] != "read":
            return f"NG {row['status']} {row['reason'] or ''}".rstrip()
    least = min(row["confidence"] or 0.0 for row in rows)
    return f"OK {';'.join(row['code'] for row in rows)} {least:.4f}"
