"""An HTTP server that is told each row as JSON; its 2xx is the receipt.

Requests go one after another on a kept connection. The row's `id` is the idempotency key, so a
server can drop what it was told before. What it refuses for good (4xx) becomes a dead letter,
which `status` counts; 5xx, time-outs and refusals that a person must settle are tried again.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import structlog
from pydantic import AfterValidator, Field, SecretStr, model_validator

from flows import vocabulary
from flows.configuration.credentials import secret_of
from flows.configuration.tls import TlsOptions, client_context
from flows.sinks.template import checked, value_of
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

_LATER = frozenset({401, 403, 407, 408, 425, 429})
"""Refusals by who asks or when, not by what was sent: the same row may be taken later."""

_LONGEST_REPLY = 2000
_LONGEST_WAIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: `text` is the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    text: str


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address of a server; write https://server/path")
    if parts.username or parts.password:
        raise ValueError("holds a user or password; use `token` or a header from the environment")
    return url


def _headers(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not value.isprintable():
            raise ValueError(f"{name!r} is no header")
        if name.lower() in ("authorization", "proxy-authorization", "cookie"):
            raise ValueError(f"{name} is a secret: use `token` in the environment, or token_file")
        if name.lower() in ("content-length", "content-type", "host", "transfer-encoding"):
            raise ValueError(f"{name} is set by markwatch")
    return given


class HttpOptions(Options):
    """Which server, what it is told, and as whom."""

    url: Annotated[str, AfterValidator(_address)] = Field(
        default="http://localhost:8000/readings", description="where rows are sent"
    )
    method: Literal["POST", "PUT"] = Field(default="POST", description="the request's method")
    body: dict[str, Any] | None = Field(
        default=None,
        description="fields of the JSON that is sent: constants, or templates such as `{code}`; "
        "may be nested; null for the whole row",
    )
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default={}, description="more headers"
    )
    token: SecretStr | None = Field(
        default=None,
        description="bearer token; only from the environment",
        json_schema_extra={"secret": True},
    )
    token_file: str | None = Field(
        default=None, description="file that holds the bearer token, relative to the root"
    )
    idempotency_header: str | None = Field(
        default="Idempotency-Key", description="header that carries the row's id; null for none"
    )
    tls: TlsOptions = Field(default=TlsOptions(), description="authorities and client certificate")
    connect_seconds: float = Field(default=5.0, gt=0, description="longest wait for a connection")
    answer_seconds: float = Field(default=15.0, gt=0, description="longest wait for an answer")

    @model_validator(mode="after")
    def _sound(self) -> HttpOptions:
        _check_body(self.body, ())
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file are both set; keep one")
        return self


def _check_body(body: Any, path: tuple[str, ...]) -> None:
    if isinstance(body, Mapping):
        for name, part in body.items():
            _check_body(part, (*path, str(name)))
    elif isinstance(body, list):
        for part in body:
            _check_body(part, path)
    elif isinstance(body, str):
        try:
            checked(body)
        except ValueError as error:
            raise ValueError(f"body {'.'.join(path)}: {error}") from None


class HttpSink:
    """Sends each row to a server, in order, and waits for its answer."""

    Options: ClassVar[type[Options]] = HttpOptions
    cut = Cut(max_rows=50)

    def __init__(self, options: HttpOptions, site: Site, name: str) -> None:
        self._options = options
        self._site = site
        self._name = name
        self._not_before = 0.0
        self._log = structlog.get_logger("markwatch.sinks.http").bind(sink=name)

    @staticmethod
    def folders(options: HttpOptions, site: Site) -> tuple[Path, ...]:
        """None: it speaks to a server."""
        return ()

    def __enter__(self) -> Self:
        """Read token and certificates; connecting waits for the first row.

        Raises:
            ConfigError: a file of the options cannot be read.
        """
        self._token = secret_of(
            self._options.token, self._options.token_file, self._site.root, "token_file"
        )
        self._pool = self._connections()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    def deliver(self, batch: Batch) -> Receipt:
        """Send the rows one by one; returns what was settled before the first that was not.

        Raises:
            DeliveryError: the first row was not settled.
        """
        delivered: set[int] = set()
        dead: dict[int, str] = {}
        for row in batch.rows:
            try:
                answer = self._send(row)
            except DeliveryError as error:
                if not delivered and not dead:
                    raise
                self._log.warning("not all was delivered", error=str(error))
                break
            if answer.status < 300:
                delivered.add(row["seq"])
            else:
                dead[row["seq"]] = f"{self._options.url} answered {answer.status}: {answer.text}"
        return Receipt(frozenset(delivered), dead=dead)

    def announce(self, state: str) -> None:
        """Nothing: a server is told rows alone."""

    def probe(self) -> str:
        """Connect, TLS included, and ask the server for its options; nothing is sent.

        Raises:
            DeliveryError: it cannot be reached, or its certificate is not trusted.
        """
        with self:
            answer = self._request("OPTIONS", None, {})
            if answer.status in (401, 403):
                raise DeliveryError(self._refused(answer))
            return f"{self._options.method} {self._options.url}, reachable"

    def _send(self, row: Mapping[str, Any]) -> Answer:
        """The server's final word on a row.

        Raises:
            DeliveryError: there is none yet.
        """
        wait = self._not_before - time.monotonic()
        if wait > 0:
            raise DeliveryError(f"{self._options.url} asked to wait another {wait:.0f} s")
        headers = {"Content-Type": "application/json"}
        if self._options.idempotency_header is not None:
            headers[self._options.idempotency_header] = row["id"]
        answer = self._request(self._options.method, self._body(row), headers)
        if answer.status < 300 or (answer.status >= 400 and _is_final(answer.status)):
            return answer
        if answer.status in (429, 503):
            self._not_before = time.monotonic() + _seconds(answer.headers.get("Retry-After"))
        raise DeliveryError(self._refused(answer))

    def _body(self, row: Mapping[str, Any]) -> bytes:
        body = self._options.body
        text = vocabulary.to_json(row) if body is None else json.dumps(_filled(body, row))
        return text.encode()

    def _request(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        import urllib3

        every = {"User-Agent": "markwatch", **self._options.headers, **headers}
        if self._token is not None:
            every["Authorization"] = f"Bearer {self._token}"
        parts = urlsplit(self._options.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            answer = self._pool.urlopen(
                method,
                target,
                body=body,
                headers=every,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            said = answer.read(_LONGEST_REPLY, decode_content=True)
            if len(said) < _LONGEST_REPLY:
                answer.release_conn()
            else:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            raise DeliveryError(self._unreachable(error)) from error
        return Answer(answer.status, answer.headers, _printable(said))

    def _connections(self) -> HTTPConnectionPool:
        import urllib3

        parts = urlsplit(self._options.url)
        timeout = urllib3.Timeout(
            connect=self._options.connect_seconds, read=self._options.answer_seconds
        )
        if parts.scheme == "http":
            return urllib3.HTTPConnectionPool(str(parts.hostname), parts.port, timeout=timeout)
        context = client_context(self._options.tls, self._site.root, "tls")
        return urllib3.HTTPSConnectionPool(
            str(parts.hostname), parts.port, timeout=timeout, ssl_context=context
        )

    def _refused(self, answer: Answer) -> str:
        url, status = self._options.url, answer.status
        if status in (401, 403, 407):
            return f"{url} answered {status}: set the right `token`, or ask for the right to send"
        if 300 <= status < 400:
            place = answer.headers.get("Location", "elsewhere")
            return f"{url} answered {status}, it has moved to {place}: write that as `url`"
        return f"{url} answered {status}: {answer.text or 'no reason'}; the row is sent again"

    def _unreachable(self, error: Exception) -> str:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return (
                    f"{self._options.url}: its certificate is not trusted "
                    f"({cause.verify_message}); renew it, or name its authority in `tls.ca_file`"
                )
            cause = cause.__cause__ or cause.__context__ or getattr(cause, "reason", None)
        words = " ".join(str(getattr(error, "reason", None) or error).split())
        return f"{self._options.url} cannot be reached: {words}; is it on, and is `url` right?"


def _is_final(status: int) -> bool:
    return 400 <= status < 500 and status not in _LATER


def _filled(body: Any, row: Mapping[str, Any]) -> Any:
    if isinstance(body, Mapping):
        return {name: _filled(part, row) for name, part in body.items()}
    if isinstance(body, list):
        return [_filled(part, row) for part in body]
    return value_of(body, row) if isinstance(body, str) else body


def _printable(said: bytes) -> str:
    """An answer's body as one line of printable text."""
    text = " ".join(said.decode("utf-8", "replace").split())
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def _seconds(asked: str | None) -> float:
    """How long `Retry-After` asks to wait; a date or nonsense asks for nothing."""
    return min(float(asked), _LONGEST_WAIT_SECONDS) if asked and asked.isdecimal() else 0.0
