"""`POST /v1/images`: a picture in a form or in JSON, into the inbox, and on wish its reading."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile

from flows import vocabulary
from flows.serve.desk import Desk, head_of
from flows.serve.examples import SUBMIT_BODY, content, refusals
from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError
from flows.serve.reports import Row, Ticket
from flows.serve.shelf import Shelf

MOST_FIELD_BYTES = 4096
_DATA_URL = re.compile(r"data:[\w./+-]*;base64,")


class Fields(BaseModel):
    """What comes with a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    camera: str | None = None
    recipe: str | None = None
    name: str | None = None
    expected: str | None = None
    wait: bool = False


class ImageRequest(Fields):
    """A picture in JSON: its bytes in base64."""

    image: str
    wait: bool | None = False


@dataclass(frozen=True, slots=True)
class _Given:
    content: BinaryIO
    name: str | None
    fields: Fields


def router(desk: Desk, shelf: Shelf, options: ServeOptions) -> APIRouter:
    """The route."""
    routes = APIRouter()
    uploads = asyncio.Semaphore(options.max_uploads)

    @routes.post(
        "/v1/images",
        summary="Have a picture read",
        openapi_extra={"requestBody": SUBMIT_BODY},
        status_code=202,
        responses={
            200: {"description": "read", **content("Submitted", "Reported")},
            202: {"description": "it lies in the inbox", **content("Submitted", "Accepted")},
            **refusals(400, 404, 408, 413, 415, 507),
        },
        response_class=Response,
    )
    async def submit(
        request: Request,
        wait: Annotated[bool, Query(description="answer with the reading")] = False,
    ) -> Response:
        """A 202 says that the picture lies on the inbox's disk and goes the way of every other."""
        async with _turn(uploads, options.body_seconds), _given(request, options) as given:
            fields = given.fields
            camera = await asyncio.to_thread(desk.camera, fields.camera, fields.recipe)
            expected = desk.expected(fields.expected)
            ticket = desk.ticket(camera, given.name or fields.name, head_of(given.content))
            head, _ = await asyncio.to_thread(shelf.ends)
            future = desk.reports.expect(ticket)
            try:
                await asyncio.to_thread(desk.submit, ticket, given.content, expected)
            except BaseException:
                desk.reports.forget(ticket, future)
                raise
        if not (wait or fields.wait):
            desk.reports.forget(ticket, future)
            return _answer(ticket, head, [], "it lies in the inbox and will be read")
        rows = await desk.reports.wait(ticket, future, options.wait_seconds)
        late = f"it was not read within {options.wait_seconds:g} s; it lies in the inbox and "
        return _answer(ticket, head, rows or [], None if rows else late + "will be read")

    return routes


@asynccontextmanager
async def _turn(uploads: asyncio.Semaphore, seconds: float) -> AsyncIterator[None]:
    try:
        await asyncio.wait_for(uploads.acquire(), seconds)
    except TimeoutError:
        raise RefusedError(
            503,
            "busy",
            "other uploads are being taken in",
            "send it again, or raise serve.max_uploads",
            {"Retry-After": "5"},
        ) from None
    try:
        yield
    finally:
        uploads.release()


@asynccontextmanager
async def _given(request: Request, options: ServeOptions) -> AsyncIterator[_Given]:
    """The picture and its fields, from a form or from JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=8, max_part_size=MOST_FIELD_BYTES) as form:
            pictures = [part for part in form.values() if isinstance(part, UploadFile)]
            if not pictures:
                raise RefusedError(
                    422, "no-picture", "the form has no file", "curl -F image=@part.png URL"
                )
            values = {name: part for name, part in form.items() if isinstance(part, str)}
            fields = _checked(Fields, values)
            _check_size(pictures[0].size or 0, options)
            yield _Given(pictures[0].file, pictures[0].filename, fields)
    elif kind == "application/json":
        body = await request.body()
        given, data = await asyncio.to_thread(_from_json, body)
        _check_size(len(data), options)
        fields = Fields(**given.model_dump(exclude={"image", "wait"}), wait=bool(given.wait))
        yield _Given(io.BytesIO(data), None, fields)
    else:
        raise RefusedError(
            415,
            "content-type",
            f"{kind or 'no type'} is not taken",
            "send multipart/form-data (curl -F image=@part.png) or application/json",
        )


def _from_json(body: bytes) -> tuple[ImageRequest, bytes]:
    try:
        given = ImageRequest.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors()) from None
    text = given.image
    prefix = _DATA_URL.match(text)
    try:
        data = base64.b64decode(text[prefix.end() :] if prefix else text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(
            422,
            "base64",
            "`image` is not base64",
            "send the bytes of the file in base64 (RFC 4648), as `base64 -w0 part.png` writes them",
        ) from None
    return given, data


def _checked(model: type[Fields], values: dict[str, Any]) -> Fields:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error.errors()) from None


def invalid(errors: Any) -> RefusedError:
    """What is wrong with the fields of a request, in one line."""
    told = [
        f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['msg']}"
        for item in list(errors)[:5]
    ]
    return RefusedError(
        422, "invalid", "; ".join(told), "GET /openapi.json says what each field may be"
    )


def _check_size(size: int, options: ServeOptions) -> None:
    if size > options.max_upload_megabytes * 1e6:
        raise RefusedError(
            413,
            "too-large",
            f"{size / 1e6:.1f} MB, more than {options.max_upload_megabytes:g} MB",
            "send a smaller picture, or raise serve.max_upload_megabytes",
        )


def _answer(ticket: Ticket, head: int, rows: list[Row], detail: str | None) -> Response:
    first: Row = rows[0] if rows else {"code": None, "cord": None}
    # The cursor spares the ledger a search through all that was read before.
    query = urlencode({"camera": ticket.camera, "image": ticket.image, "cursor": head})
    told = {
        "state": "reported" if rows else "accepted",
        "camera": ticket.camera,
        "image": ticket.image,
        "code": first["code"],
        "cord": first["cord"],
        "readings": list(rows),
        "detail": detail,
        "follow": f"/v1/readings?{query}",
    }
    status = 200 if rows else 202
    return Response(vocabulary.to_json(told), status, media_type="application/json")
