"""What every request must pass before a route sees it: host, origin, rate, token, size and time.

Without a token (loopback) the host must be this machine's, or any page that a browser here opens
could reach the API by a name that it points at 127.0.0.1 (DNS rebinding); a request that a page of
another origin sends is refused always, and what a browser changes carries a header that no other
site can make it send. The size of a body is what comes, not what is declared.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.configuration.tls import is_loopback
from flows.serve.options import ServeOptions
from flows.serve.pages import PAGES, is_open
from flows.serve.problems import RefusedError
from flows.serve.sessions import Sessions

OPEN = frozenset({"/healthz", "/readyz"})
"""Asked by supervisors that hold no token; they say one word."""

OURS = "x-markwatch"
"""Sent by the station's pages. Another site's page may send it only after asking (CORS), and it is
never allowed to. Source: OWASP, CSRF prevention, custom request headers."""

MOST_ADDRESSES = 4096
BURST = 2.0
BASE64 = 4 / 3
ENVELOPE_BYTES = 64 * 1024
"""Room for the fields beside a picture."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
"""Set on every answer that does not set them itself."""


class Guard:
    """ASGI middleware round the routes; `answered` is told of each route and status."""

    def __init__(
        self,
        app: ASGIApp,
        options: ServeOptions,
        token: str | None,
        sessions: Sessions,
        answered: Callable[[str, int], None],
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._answered = answered
        self._options = options
        self._token = None if token is None else _digest(token)
        self._sessions = sessions
        self._rates = Rates(options.requests_per_second, tick)
        self._most_bytes = int(options.max_upload_megabytes * 1e6 * BASE64) + ENVELOPE_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = self._watched(scope, send)
        try:
            self._judge(scope)
        except RefusedError as problem:
            await refuse(problem, guarded)
            return
        await self._app(scope, self._limited(receive), guarded)

    def _watched(self, scope: Scope, send: Send) -> Send:
        """Count each answer, and set what headers it lacks."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [pair for pair in HEADERS if pair[0] not in given]
                message = {**message, "headers": [*message["headers"], *more]}
                # The template of the path, or anybody could make metrics without end.
                route = getattr(scope.get("route"), "path", "none")
                self._answered(route, message["status"])
            await send(message)

        return watched

    def _judge(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        client = scope.get("client")
        wait = self._rates.wait(client[0] if client else "")
        if wait > 0:
            raise RefusedError(
                429,
                "too-many-requests",
                f"more than {self._options.requests_per_second:g} requests a second",
                f"wait {wait:.1f} s, or raise serve.requests_per_second",
                {"Retry-After": str(int(wait) + 1)},
            )
        self._check_origin(scope, headers)
        if scope["path"] not in OPEN and not is_open(scope["path"]):
            self._check_token(scope, headers)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 15 or int(declared) > self._most_bytes):
            raise self._too_large()

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._token is None and not is_loopback(_name(f"//{host}")):
            raise RefusedError(
                403,
                "foreign-host",
                f"{host or 'no host'} is not a name of this machine's loopback",
                "ask for 127.0.0.1, or set a token (MARKWATCH__SERVE__TOKEN)",
            )
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site")
        reads = scope["method"] in ("GET", "HEAD")
        linked = reads and headers.get("sec-fetch-mode") == "navigate" and scope["path"] in PAGES
        cross = site in ("cross-site", "same-site") and not linked
        if cross or (origin is not None and urlsplit(origin).netloc != host):
            raise RefusedError(
                403,
                "foreign-origin",
                f"a page of {origin or 'another site'} sent this",
                "use a program, or the station's own page",
            )
        browser = site is not None or origin is not None or "cookie" in headers
        if browser and not reads and OURS not in headers:
            raise RefusedError(
                403,
                "foreign-origin",
                "a browser sent this, and not the station's own page",
                f"use a program, or send the header `{OURS}: 1`",
            )

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        if self._token is None or self._sessions.holds(scope):
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), self._token):
            return
        raise RefusedError(
            401,
            "token",
            "no valid token" if given else "no token",
            "send the header `Authorization: Bearer TOKEN`",
            {"WWW-Authenticate": 'Bearer realm="markwatch"'},
        )

    def _limited(self, receive: Receive) -> Receive:
        """The body as it comes, for so long and so much."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._options.body_seconds
        taken, whole = 0, False

        async def limited() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.001, end - loop.time()))
            except TimeoutError:
                raise RefusedError(
                    408,
                    "slow-body",
                    f"the body did not come within {self._options.body_seconds:g} s",
                    "send it faster, or raise serve.body_seconds",
                    {"Connection": "close"},
                ) from None
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if taken > self._most_bytes:
                    raise self._too_large()
            else:
                whole = True
            return message

        return limited

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413,
            "too-large",
            f"more than a picture of {self._options.max_upload_megabytes:g} MB needs",
            "send a smaller picture, or raise serve.max_upload_megabytes",
            {"Connection": "close"},
        )


class Rates:
    """Token buckets by address; the addresses that asked longest ago are forgotten first."""

    def __init__(self, per_second: float, tick: Callable[[], float]) -> None:
        self._per_second = per_second
        self._tick = tick
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until this address may ask again; 0 when it may now, which is counted."""
        now, most = self._tick(), max(1.0, self._per_second * BURST)
        left, at = self._left.pop(address, (most, now))
        left = min(most, left + (now - at) * self._per_second)
        allowed = left >= 1.0
        self._left[address] = (left - 1.0 if allowed else left, now)
        while len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / self._per_second


async def refuse(problem: RefusedError, send: Send) -> None:
    """Send a refusal."""
    body = problem.body()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in problem.headers.items()},
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _digest(token: str) -> bytes:
    # Of equal length, so that comparing tells nothing of the token's own.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
