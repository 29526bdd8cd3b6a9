"""The pages for people, from files in this package: `/`, `/recipes` and `/static/...`.

No build step and nothing from elsewhere. All are read once, when the station starts; a browser asks
again each time and is told that nothing changed (ETag), so that an update is seen at once.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

PAGES = {"/": "live.html", "/recipes": "editor.html"}
"""Path of each page, and its file."""

STATIC = "/static/"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        # What is read from a part can never become markup, whatever a script does with it.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Content Security Policy, level 3."""

_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file as it is sent: its bytes, the same in gzip, and its tag."""

    content: bytes
    packed: bytes
    kind: str
    tag: str


def is_open(path: str) -> bool:
    """Whether this is one of the files, which hold nothing of a plant and are shown to anybody."""
    return path in PAGES or path.startswith(STATIC)


def shipped() -> dict[str, Shipped]:
    """Every file by its name below `static/`."""
    root = files("flows.serve") / "static"
    return {name: _read(name, file) for name, file in _walk(root, "")}


def edition(found: dict[str, Shipped]) -> str:
    """Changes when any of the files does: a page that stays open knows that it is old."""
    tags = "".join(f"{name}{found[name].tag}" for name in sorted(found))
    return hashlib.sha256(tags.encode()).hexdigest()[:16]


def router(found: dict[str, Shipped]) -> APIRouter:
    """The routes; none of them is part of the API that OpenAPI describes."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    async def static(request: Request, name: str) -> Response:
        if name not in found or name in PAGES.values():
            raise HTTPException(404)
        return _answer(found[name], request)

    @routes.api_route("/", methods=["GET", "HEAD"])
    @routes.api_route("/recipes", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return _answer(found[PAGES[request.url.path]], request)

    return routes


def _answer(file: Shipped, request: Request) -> Response:
    headers = {
        "ETag": file.tag,
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": POLICY,
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    given = (tag.strip() for tag in request.headers.get("if-none-match", "").split(","))
    if file.tag in given:
        return Response(status_code=304, headers=headers)
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = file.packed, "gzip"
    # Starlette itself leaves the body of a HEAD to the server, which drops it.
    return Response(content, headers=headers, media_type=file.kind)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _KINDS:
            yield prefix + entry.name, entry


def _read(name: str, file: Traversable) -> Shipped:
    content = file.read_bytes()
    # Weak, because the same tag stands for the bytes in gzip.
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'
    packed = gzip.compress(content, 9, mtime=0)
    return Shipped(content, packed, _KINDS[name.rpartition(".")[2]], tag)
