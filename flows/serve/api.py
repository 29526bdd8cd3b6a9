"""The ASGI application: the routes, the guard before them, and one shape for every refusal."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from flows.clocks import Clocks
from flows.configuration.settings import Layout, Settings
from flows.serve import (
    board,
    failures,
    lookups,
    meters,
    pages,
    uploads,
)
from flows.serve.board import Board
from flows.serve.desk import Desk
from flows.serve.editor import examples as editor_examples
from flows.serve.editor import routes as editor_routes
from flows.serve.editor.workshop import Workshop
from flows.serve.examples import examples, refusals, schemas
from flows.serve.guard import Guard
from flows.serve.health import Health
from flows.serve.meters import Meters
from flows.serve.problems import RefusedError, plain
from flows.serve.sessions import Sessions
from flows.serve.shelf import Shelf
from flows.serve.shift import Shift
from flows.serve.views import Views
from stages.errors import ConfigError

DESCRIPTION = (
    "Pictures in, readings out, over the same inbox and ledger as everything else. Every refusal "
    "is `{error, detail, remedy}`. `curl -F image=@part.png -F camera=press-3 "
    "'http://127.0.0.1:8790/v1/images?wait=true'`"
)


def application(
    layout: Layout,
    settings: Settings,
    clocks: Clocks,
    token: str | None,
    desk: Desk,
    shelf: Shelf,
    health: Health,
    numbers: Meters,
    workshop: Workshop,
) -> ASGIApp:
    """What uvicorn serves."""
    options = settings.serve
    shipped = pages.shipped()
    app = FastAPI(
        title="markwatch",
        version=version("markwatch"),
        description=DESCRIPTION,
        openapi_url="/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(uploads.router(desk, shelf, options))
    app.include_router(lookups.router(desk, shelf, Views(shelf, settings.decode), options))
    app.include_router(failures.router(desk, shelf, layout, clocks.now))
    app.include_router(editor_routes.router(workshop, options))
    app.include_router(_station(settings.station, shelf, health, numbers))
    shift = Shift(shelf.look, options.shift_starts, clocks.now, clocks.tick)
    fixed = {"edition": pages.edition(shipped), "locked": token is not None}
    whole = Board(layout, settings, shelf, shift, health, clocks, fixed)
    app.include_router(board.router(whole))
    sessions = Sessions(token, options.session_days, clocks.now)
    app.include_router(_signing(sessions))
    app.include_router(pages.router(shipped))
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, _handler(answer))
    described = app.openapi

    def openapi() -> dict[str, Any]:
        found = described()
        found["components"] = {
            "schemas": schemas() | editor_examples.schemas(),
            "examples": examples() | editor_examples.examples(),
        }
        if token is not None:
            found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            found["security"] = [{"token": []}]
        return found

    app.openapi = openapi  # type: ignore[method-assign]
    return Guard(app, options, token, sessions, numbers.request)


def _station(station: str, shelf: Shelf, health: Health, numbers: Meters) -> APIRouter:
    routes = APIRouter()
    one_word = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @routes.get(
        "/v1/status",
        summary="The conservation figures, as `markwatch status --json`",
        response_class=Response,
        responses={
            200: {
                "description": "pictures, cameras, sinks, conditions, canaries",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **refusals(),
        },
    )
    async def status() -> Response:
        found = {
            "station": station,
            "ready": health.not_ready is None,
            "not_ready": health.not_ready,
            "last_scan_age_seconds": health.scan_ages(),
            **await asyncio.to_thread(shelf.figures),
        }
        return Response(json.dumps(found, ensure_ascii=False), media_type="application/json")

    @routes.get(
        "/metrics",
        summary="For Prometheus",
        response_class=Response,
        responses={200: {"description": "metrics", **one_word}, **refusals()},
    )
    async def metrics() -> Response:
        text = await asyncio.to_thread(numbers.text)
        return Response(text, headers={"Content-Type": meters.CONTENT_TYPE})

    @routes.get(
        "/healthz",
        summary="Whether the process lives",
        response_class=Response,
        responses={200: {"description": "it does", **one_word}, **refusals()},
    )
    async def healthz() -> Response:
        return _word(health.sick, "restart `markwatch watch`, and see its log")

    @routes.get(
        "/readyz",
        summary="Whether pictures are being read",
        response_class=Response,
        responses={200: {"description": "they are", **one_word}, **refusals()},
    )
    async def readyz() -> Response:
        return _word(health.not_ready, "wait, and see the log of `markwatch watch`")

    return routes


def _signing(sessions: Sessions) -> APIRouter:
    """A browser's way in and out, for the pages; a program shows its token each time."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/v1/session")
    async def sign_in(request: Request) -> Response:
        cookie = sessions.grant(request.scope)
        return Response(status_code=204, headers={"Set-Cookie": cookie} if cookie else None)

    @routes.delete("/v1/session")
    async def sign_out(request: Request) -> Response:
        return Response(status_code=204, headers={"Set-Cookie": sessions.end(request.scope)})

    return routes


def _word(trouble: str | None, remedy: str) -> Response:
    if trouble is not None:
        raise RefusedError(503, "not-ready", trouble, remedy, {"Retry-After": "5"})
    return Response("ok\n", media_type="text/plain")


def _invalid(error: Any) -> RefusedError:
    return uploads.invalid(error.errors())


def _routed(error: Any) -> RefusedError:
    problem = plain(error.status_code)
    if error.status_code == 400:
        problem.detail = str(error.detail)
    problem.headers.update(error.headers or {})
    return problem


def _ledger(error: Any) -> RefusedError:
    return RefusedError(
        503,
        "ledger",
        f"the ledger cannot be read: {error}",
        "see that the disk of data/state is there",
        {"Retry-After": "5"},
    )


def _bug(_: Any) -> RefusedError:
    return RefusedError(500, "bug", "an error in markwatch", "see its log, and report it")


_ANSWERS: dict[type[Exception], Callable[[Any], RefusedError]] = {
    RefusedError: lambda problem: problem,
    RequestValidationError: _invalid,
    HTTPException: _routed,
    sqlite3.Error: _ledger,
    ConfigError: _ledger,
    Exception: _bug,
}


def _handler(answer: Callable[[Any], RefusedError]) -> Callable[[Request, Exception], Any]:
    async def handle(_: Request, error: Exception) -> Response:
        problem = answer(error)
        return Response(
            problem.body(), problem.status, problem.headers, media_type="application/json"
        )

    return handle
