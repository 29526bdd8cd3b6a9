"""`GET /v1/readings`, what hangs on each (record, picture, crop), and the live stream."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from flows.commands.moments import moment
from flows.serve.desk import Desk
from flows.serve.events import events
from flows.serve.examples import content, refusals
from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError
from flows.serve.shelf import Order, Shelf, Wanted
from flows.serve.views import Views
from stages.errors import ConfigError
from stages.records import Status

MOST_ROWS = 1000
MOST_SEQ = 2**63 - 1
_CHUNK = 1 << 16
_CROPS = 2
# An id is that of one revision of one picture: what was drawn of it stays as it is.
_UNCHANGING = {"Cache-Control": "private, max-age=86400, immutable"}

_Seq = Annotated[int, Query(ge=0, le=MOST_SEQ)]
_Key = Annotated[str, Path(description="the reading's `id`", max_length=100)]


def _wanted(
    camera: Annotated[str | None, Query(description="of this camera")] = None,
    status: Annotated[Status | None, Query(description="of this status")] = None,
    code: Annotated[str | None, Query(description="of this code")] = None,
    image: Annotated[str | None, Query(description="of this file name")] = None,
    start: Annotated[
        str | None, Query(alias="from", description="read at or after: 2026-11-21T08:00Z, 90m, 2d")
    ] = None,
    end: Annotated[str | None, Query(alias="to", description="read before")] = None,
) -> Wanted:
    now = datetime.now(UTC)
    try:
        return Wanted(
            camera, status, code, image, start and moment(start, now), end and moment(end, now)
        )
    except ConfigError as error:
        detail, _, remedy = str(error).partition(": ")
        raise RefusedError(422, "invalid", detail, remedy) from None


def router(desk: Desk, shelf: Shelf, views: Views, options: ServeOptions) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    crops = asyncio.Semaphore(_CROPS)
    streams = _Seats(options.max_streams)

    @routes.get(
        "/v1/readings",
        summary="Readings, page by page",
        response_class=Response,
        responses={
            200: {
                "description": "the page; `next` is the cursor of the next one, null at the end",
                **content("Readings", "Readings"),
            },
            **refusals(),
        },
    )
    async def readings(
        wanted: Annotated[Wanted, Depends(_wanted)],
        cursor: Annotated[_Seq | None, Query(description="go on behind this seq")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
        order: Annotated[Order, Query(description="which come first")] = "oldest",
    ) -> Response:
        records, following = await asyncio.to_thread(
            shelf.page, wanted, cursor=cursor, limit=limit, order=order
        )
        text = f'{{"readings":[{",".join(records)}],"next":{following or "null"}}}'
        return Response(text, media_type="application/json")

    @routes.get(
        "/v1/readings/{key}",
        summary="One reading",
        response_class=Response,
        responses={
            200: {"description": "the record", **content("Reading", "Reading")},
            **refusals(404),
        },
    )
    async def reading(key: _Key) -> Response:
        return Response(await asyncio.to_thread(shelf.one, key), media_type="application/json")

    @routes.get(
        "/v1/readings/{key}/crop",
        summary="The line that was read, upright",
        response_class=Response,
        responses={200: _binary("PNG", "image/png"), **refusals(404, 410)},
    )
    async def crop(
        key: _Key,
        height_px: Annotated[
            int | None, Query(ge=8, le=1000, description="made smaller to be at most so high")
        ] = None,
    ) -> Response:
        # Decoded pictures are large: few at a time.
        async with crops:
            png = await asyncio.to_thread(views.crop, key, height_px)
        return Response(png, media_type="image/png", headers=_UNCHANGING)

    @routes.get(
        "/v1/readings/{key}/view",
        summary="The picture, as any browser shows it",
        response_class=Response,
        responses={
            200: {
                **_binary("JPEG of the page that was read, upright", "image/jpeg"),
                "headers": {
                    "X-Picture-Size": {
                        "description": "WIDTHxHEIGHT in the pixels that `outline` counts",
                        "schema": {"type": "string"},
                    }
                },
            },
            **refusals(404, 410),
        },
    )
    async def view(
        key: _Key,
        edge_px: Annotated[
            int, Query(ge=64, le=4096, description="made smaller to have no longer edge")
        ] = 1600,
    ) -> Response:
        async with crops:
            jpeg, (width, height) = await asyncio.to_thread(views.whole, key, edge_px)
        headers = {**_UNCHANGING, "X-Picture-Size": f"{width}x{height}"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @routes.get(
        "/v1/readings/{key}/picture",
        summary="The picture, as it came",
        response_class=Response,
        responses={200: _binary("the file", "image/*"), **refusals(404, 410)},
    )
    async def picture(key: _Key) -> Response:
        file, name = await asyncio.to_thread(shelf.picture, key)
        kind = mimetypes.guess_type(name)[0] or ""
        return StreamingResponse(
            _chunks(file),
            media_type=kind if kind.startswith("image/") else "application/octet-stream",
            headers={"Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}"},
            background=BackgroundTask(file.close),
        )

    @routes.get(
        "/v1/events",
        summary="Readings as they come, by server-sent events",
        response_class=Response,
        responses={
            200: {
                "description": "a stream; the id of an event is the row's seq, its data the record",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **refusals(),
        },
    )
    async def stream(
        request: Request,
        wanted: Annotated[Wanted, Depends(_wanted)],
        after: Annotated[_Seq | None, Query(description="begin behind this seq")] = None,
        last_event_id: Annotated[
            str | None, Header(description="what a browser sends when it comes back")
        ] = None,
    ) -> Response:
        seats = streams.take()
        if last_event_id is not None and last_event_id.isdecimal():
            after = min(int(last_event_id[:19]), MOST_SEQ)
        found = events(desk.reports, shelf, wanted, after, request.is_disconnected)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            _seated(found, seats), media_type="text/event-stream", headers=headers
        )

    return routes


class _Seats:
    """How many listen at a time."""

    def __init__(self, most: int) -> None:
        self._free = most

    def take(self) -> _Seats:
        """Sit down.

        Raises:
            RefusedError: all seats are taken.
        """
        if self._free <= 0:
            raise RefusedError(
                503,
                "too-many-streams",
                "all seats at /v1/events are taken",
                "close one, or raise serve.max_streams",
                {"Retry-After": "10"},
            )
        self._free -= 1
        return self

    def leave(self) -> None:
        """Stand up."""
        self._free += 1


async def _seated(found: AsyncIterator[bytes], seats: _Seats) -> AsyncIterator[bytes]:
    try:
        async for event in found:
            yield event
    finally:
        seats.leave()


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk


def _binary(words: str, kind: str) -> dict[str, Any]:
    return {"description": words, "content": {kind: {"schema": {"type": "string"}}}}
