"""A device that is told codes over TCP: a marker, a PLC, a printer; its reply is the receipt.

One connection, rows in order. A row is told again when the reply did not come, so a device that
must not act twice is sent `{id}` with the code and drops what it knows. What it answers is kept
in the ledger as `reply`, where a sink with `after` finds it.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import structlog
from pydantic import Field, field_validator, model_validator

from flows.sinks.device_line import Line, LineError, shown
from flows.sinks.template import Template, fields_of, fill
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site


class _RefusedError(Exception):
    """This row can never be told to this device."""


class DeviceOptions(Options):
    """Which device, what it is told, and what it answers."""

    host: str = Field(default="localhost", min_length=1, description="name or address")
    port: int = Field(default=9004, ge=1, le=65535, description="its TCP port")
    template: Template = Field(
        default="{code}\r\n", description="what is sent for a row with a code, its end included"
    )
    template_without_code: Template | None = Field(
        default=None,
        description="what is sent for a row without a code, e.g. `NG\\r\\n`; null for nothing",
    )
    encoding: str = Field(default="utf-8", description="Python's name of the text encoding")
    reply_end: str = Field(
        default="\r\n", description="what ends a reply; empty for a device that does not answer"
    )
    accept: str | None = Field(
        default=None,
        description="regular expression of a whole reply that says done; null for any",
    )
    refuse: str | None = Field(
        default=None,
        description="regular expression of a whole reply that refuses the row for good",
    )
    connect_seconds: float = Field(default=5.0, gt=0, description="longest wait for a connection")
    reply_seconds: float = Field(default=5.0, gt=0, description="longest wait for a whole reply")
    max_reply_bytes: int = Field(default=4096, ge=1, description="longest reply that is taken")
    keep_open: bool = Field(
        default=True, description="keep the connection between rows; else one for each row"
    )

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, value: str) -> str:
        try:
            "0\r\n".encode(value)
        except LookupError:
            raise ValueError(f"{value!r} is no encoding of Python; use utf-8 or latin-1") from None
        return value

    @field_validator("accept", "refuse")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _answers(self) -> DeviceOptions:
        if not self.reply_end and (self.accept is not None or self.refuse is not None):
            raise ValueError("accept and refuse need a reply: set reply_end")
        return self


class DeviceSink:
    """Tells a device each code and waits for its reply, in order, over one connection."""

    Options: ClassVar[type[Options]] = DeviceOptions
    cut = Cut(max_rows=20)

    def __init__(self, options: DeviceOptions, site: Site, name: str) -> None:
        self._options = options
        self._name = name
        self._line: Line | None = None
        self._log = structlog.get_logger("markwatch.sinks.device").bind(sink=name)

    @staticmethod
    def folders(options: DeviceOptions, site: Site) -> tuple[Path, ...]:
        """None: it speaks to a device."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hang_up()

    def deliver(self, batch: Batch) -> Receipt:
        """Tell the rows one by one; returns those that were answered before the first that was not.

        Raises:
            DeliveryError: the first row was not answered.
        """
        delivered: set[int] = set()
        replies: dict[int, str] = {}
        dead: dict[int, str] = {}
        for row in batch.rows:
            try:
                reply = self._tell(row)
            except _RefusedError as refusal:
                dead[row["seq"]] = str(refusal)
                continue
            except DeliveryError as error:
                if not delivered and not dead:
                    raise
                self._log.warning("not all was delivered", error=str(error))
                break
            delivered.add(row["seq"])
            if reply is not None:
                replies[row["seq"]] = reply
        return Receipt(frozenset(delivered), dead=dead, replies=replies)

    def announce(self, state: str) -> None:
        """Nothing: a device is told codes alone."""

    def probe(self) -> str:
        """Connect, say nothing, and hang up."""
        with self._connect():
            return f"device {self._address}, connected"

    @property
    def _address(self) -> str:
        return f"{self._options.host}:{self._options.port}"

    def _tell(self, row: Mapping[str, Any]) -> str | None:
        """Send one row; the reply, or None where none is asked for or nothing was sent."""
        options = self._options
        template = options.template if row["code"] is not None else options.template_without_code
        if template is None:
            return None
        words = self._words(template, row)
        try:
            line = self._open_line()
            line.send(words)
            if not options.reply_end:
                return None
            reply = line.reply().decode(options.encoding, "backslashreplace")
        except (OSError, LineError) as error:
            self._hang_up()
            raise DeliveryError(self._why(error)) from error
        finally:
            if not options.keep_open:
                self._hang_up()
        if options.refuse is not None and re.fullmatch(options.refuse, reply):
            raise _RefusedError(f"device {self._address} answered {shown(reply)}")
        if options.accept is not None and not re.fullmatch(options.accept, reply):
            # What comes later on this connection may belong to this row: begin anew.
            self._hang_up()
            raise DeliveryError(
                f"device {self._address} answered {shown(reply)}, which `accept` does not match; "
                "the row is told again"
            )
        return reply

    def _words(self, template: str, row: Mapping[str, Any]) -> bytes:
        """What is sent; a value with a control character could be a command to the device.

        Raises:
            _RefusedError: the row cannot be said in this template and encoding.
        """
        for name in fields_of(template):
            value = row[name]
            if isinstance(value, str) and any(unicodedata.category(one) == "Cc" for one in value):
                raise _RefusedError(f"{name} {shown(value)} holds a control character")
        try:
            return fill(template, row).encode(self._options.encoding)
        except UnicodeEncodeError as error:
            char = error.object[error.start]
            raise _RefusedError(
                f"{char!r} cannot be written in {self._options.encoding}"
            ) from error
        except ValueError as error:
            raise _RefusedError(f"the template does not fit this row: {error}") from error

    def _open_line(self) -> Line:
        """The connection, a new one where the device hung up or said something unasked since."""
        if self._line is not None and not self._line.is_quiet():
            self._hang_up()
        if self._line is None:
            self._line = self._connect()
        return self._line

    def _connect(self) -> Line:
        options = self._options
        try:
            connection = socket.create_connection(
                (options.host, options.port), timeout=options.connect_seconds
            )
        except (OSError, UnicodeError) as error:
            raise DeliveryError(
                f"device {self._address} cannot be reached: {_words_of(error)}; is it on, and are "
                "`host` and `port` right?"
            ) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return Line(
            connection,
            options.reply_end.encode(options.encoding),
            options.reply_seconds,
            options.max_reply_bytes,
        )

    def _why(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return (
                f"device {self._address} did not answer within "
                f"{self._options.reply_seconds:g} s; the row is told again"
            )
        return f"device {self._address}: {_words_of(error)}; the row is told again"

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def _words_of(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
