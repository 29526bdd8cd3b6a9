"""Pictures that failed, newest first, and the wish to have one read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from flows import vocabulary
from flows.configuration.settings import Layout
from flows.ledger.wishes import wish
from flows.serve.desk import Desk
from flows.serve.examples import refusals
from flows.serve.problems import RefusedError
from flows.serve.shelf import Shelf

MOST = 200

# The first condition is that of the index.
_FAILED = """
    SELECT rows.record, images.discard IS NULL AS kept,
        EXISTS (SELECT 1 FROM rereads WHERE rereads.image = images.id) AS wished
    FROM rows JOIN images ON images.id = rows.image
    WHERE rows.status != 'read' AND rows.status = 'failed' AND images.reason IS NOT NULL
        AND rows.id = images.id || '-' || images.revision || '-1'
        AND (:camera IS NULL OR rows.camera = :camera)
    ORDER BY rows.seq DESC LIMIT :limit
"""
_KEPT = ("id", "seq", "camera", "image", "reason", "read_at", "revision")


def router(desk: Desk, shelf: Shelf, layout: Layout, now: Callable[[], datetime]) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(
        "/v1/failures",
        summary="Pictures that could not be read, newest first",
        response_class=Response,
        responses={
            200: {
                "description": "`kept`: the file is there; `wished`: it will be read again; "
                "`more`: there are others",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **refusals(),
        },
    )
    async def failures(
        camera: Annotated[str | None, Query(description="of this camera")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    ) -> Response:
        found = await asyncio.to_thread(failed, shelf, camera, limit)
        return Response(json.dumps(found, ensure_ascii=False), media_type="application/json")

    @routes.post(
        "/v1/readings/{key}/reread",
        summary="Have the picture of a reading read again",
        status_code=202,
        response_class=Response,
        responses={
            202: {
                "description": "wished, now or before; a new revision comes as any reading",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **refusals(404, 409, 410),
        },
    )
    async def reread(
        key: Annotated[str, Path(description="the reading's `id`", max_length=100)],
    ) -> Response:
        if desk.draining:
            raise RefusedError(
                503, "stopping", "the station stops", "try again later", {"Retry-After": "30"}
            )
        image = await asyncio.to_thread(wishable, shelf, key)
        # One short transaction beside the flow's own: what `markwatch reread` does.
        await asyncio.to_thread(wish, layout.ledger, [image], vocabulary.instant(now()))
        told = {"state": "wished", "id": key, "picture": image}
        return Response(json.dumps(told), 202, media_type="application/json")

    return routes


def failed(shelf: Shelf, camera: str | None, limit: int) -> dict[str, Any]:
    """Pictures whose newest revision failed, newest first, and whether there are more. Blocks."""
    with shelf.look() as db:
        rows = db.execute(_FAILED, {"camera": camera, "limit": limit + 1}).fetchall()
    listed = []
    for row in rows[:limit]:
        record = json.loads(row["record"])
        told = {name: record[name] for name in _KEPT}
        listed.append({**told, "kept": bool(row["kept"]), "wished": bool(row["wished"])})
    return {"failures": listed, "more": len(rows) > limit}


def wishable(shelf: Shelf, key: str) -> str:
    """The id of the picture of this reading, if it can be read again. Blocks.

    Raises:
        RefusedError: there is no such reading, its picture is gone, or it is being read.
    """
    with shelf.look() as db:
        image: str = shelf.row(db, key)["image"]
        found = db.execute(
            "SELECT name, state, discard FROM images WHERE id=?", (image,)
        ).fetchone()
    if found is None or found["discard"] is not None:
        raise shelf.gone(found["name"] if found else key)
    if found["state"] != "archived":
        raise RefusedError(
            409,
            "in-work",
            f"{found['name']} is being filed",
            "try again in a moment",
            {"Retry-After": "1"},
        )
    return image
