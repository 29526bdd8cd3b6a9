"""The one shape of every refusal: `{"error", "detail", "remedy"}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flows.files.filenames import shown


class RefusedError(Exception):
    """A request that is refused: HTTP status, a word for machines, and two lines for people."""

    def __init__(
        self,
        status: int,
        error: str,
        detail: str,
        remedy: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{detail}; {remedy}")
        self.status = status
        self.error = error
        self.detail = detail
        self.remedy = remedy
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The JSON of it; what came from outside is made printable."""
        told = {"error": self.error, "detail": self.detail, "remedy": self.remedy}
        return json.dumps(shown(told), ensure_ascii=False).encode("utf-8", "replace")


def schema() -> dict[str, Any]:
    """The JSON Schema of the shape."""
    fields = {
        "error": "a word for machines",
        "detail": "what is wrong, for a person",
        "remedy": "what to do about it",
    }
    return {
        "type": "object",
        "required": list(fields),
        "additionalProperties": False,
        "properties": {
            name: {"type": "string", "description": words} for name, words in fields.items()
        },
    }


def plain(status: int) -> RefusedError:
    """A refusal that the router makes by itself: no such route, or another method."""
    words = HTTPStatus(status).phrase.lower()
    return RefusedError(
        status, words.replace(" ", "-"), words, "GET /openapi.json lists what is served"
    )
