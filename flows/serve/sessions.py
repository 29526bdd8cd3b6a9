"""What a browser shows instead of the token, which it could not send with pictures and events.

A cookie that scripts cannot read (HttpOnly) and that no other site's request carries
(SameSite=Strict): a moment and its HMAC under the token. Nothing is kept here, so it outlives a
restart, and a new token ends them all. Source: RFC 6265bis.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable
from datetime import datetime
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope

_MOST_DIGITS = 15


class Sessions:
    """Grants cookies and knows its own again; `token` None means that none is needed."""

    def __init__(self, token: str | None, days: float, now: Callable[[], datetime]) -> None:
        self._key = (
            None
            if token is None
            else hashlib.sha256(b"session\0" + token.encode("utf-8", "surrogateescape")).digest()
        )
        self._seconds = math.ceil(days * 86400)
        self._now = now

    def grant(self, scope: Scope) -> str | None:
        """The `Set-Cookie` of a new session; None where no token is wanted."""
        if self._key is None:
            return None
        ends = str(int(self._now().timestamp()) + self._seconds)
        return self._cookie(scope, f"{ends}.{self._sign(ends)}", self._seconds)

    def end(self, scope: Scope) -> str:
        """The `Set-Cookie` that makes a browser forget its session."""
        return self._cookie(scope, "", 0)

    def holds(self, scope: Scope) -> bool:
        """Whether a request shows a session that we granted and that has not run out."""
        if self._key is None:
            return False
        try:
            found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(_name(scope))
        except CookieError:
            return False
        ends, _, signature = (found.value if found else "").partition(".")
        if not (ends.isascii() and ends.isdecimal() and len(ends) <= _MOST_DIGITS):
            return False
        ours = hmac.compare_digest(self._sign(ends).encode(), signature.encode())
        return ours and int(ends) > self._now().timestamp()

    def _sign(self, ends: str) -> str:
        assert self._key is not None
        return hmac.new(self._key, ends.encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def _cookie(scope: Scope, value: str, seconds: int) -> str:
        secure = "; Secure" if scope["scheme"] == "https" else ""
        return (
            f"{_name(scope)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        )


def _name(scope: Scope) -> str:
    # Cookies know no ports: two stations on one machine would sign each other out.
    return f"markwatch-{(scope.get('server') or ('', 0))[1]}"
