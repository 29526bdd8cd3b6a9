"""A TCP connection to a device: something is said, one whole reply is heard.

Replies come in pieces, late, twice or not at all; a reply that may belong to an earlier question
is never taken for the answer to this one.
"""

from __future__ import annotations

import socket
import time
from typing import Self

_CHUNK = 4096
_SHOWN_LENGTH = 60


class LineError(Exception):
    """The connection is not in a state in which a reply can be told from another."""


class Line:
    """A connection, and the bytes of replies that came in pieces."""

    def __init__(self, connection: socket.socket, end: bytes, seconds: float, limit: int) -> None:
        self._connection = connection
        self._end = end
        self._seconds = seconds
        self._limit = limit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_quiet(self) -> bool:
        """Whether it stands, and nothing waits on it that could be taken for the next reply."""
        self._connection.settimeout(0)
        try:
            while self._connection.recv(_CHUNK):
                if self._end:
                    return False
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def send(self, words: bytes) -> None:
        """Send it all.

        Raises:
            OSError: the connection is broken, or the device takes nothing.
        """
        self._connection.settimeout(self._seconds)
        self._connection.sendall(words)

    def reply(self) -> bytes:
        """One whole reply, without its end.

        Raises:
            TimeoutError: it was not whole in time.
            OSError: the connection broke.
            LineError: it is too long, or more than one.
        """
        deadline = time.monotonic() + self._seconds
        heard = b""
        while self._end not in heard:
            if len(heard) > self._limit:
                raise LineError(f"answered over {self._limit} bytes without the end of a reply")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            more = self._connection.recv(_CHUNK)
            if not more:
                raise LineError(f"hung up after {shown(heard)}" if heard else "hung up")
            heard += more
        reply, _, rest = heard.partition(self._end)
        if rest:
            raise LineError(f"answered more than once: {shown(heard)}")
        if len(reply) > self._limit:
            raise LineError(f"answered over {self._limit} bytes")
        return reply

    def close(self) -> None:
        self._connection.close()


def shown(said: str | bytes) -> str:
    """What was said, for a person: quoted, escaped and not too long."""
    text = said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else said
    return repr(text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…")
