"""The recipe editor's routes: `/v1/recipes/...`, the forms, and pictures to try recipes on."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from flows.serve.editor.cabinet import MOST_BYTES
from flows.serve.editor.examples import answer, body
from flows.serve.editor.workshop import Workshop
from flows.serve.examples import refusals
from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError
from flows.serve.uploads import invalid

MOST_BODY_BYTES = 8 * MOST_BYTES
"""Of a draft: its text, in JSON's escapes, and its values."""

_MOST_CODE = 200
_Camera = Annotated[str, Path(description="a camera, or `default`", max_length=80)]
_Tag = Annotated[str | None, Header(description="the tag that GET gave, in quotes")]
_New = Annotated[str | None, Header(description="`*` where there is no recipe yet")]
_Session = Annotated[
    str, Field(default="", pattern=r"^[\w-]{0,64}$", description="of this page, to overtake itself")
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str = Field(max_length=MOST_BYTES, description="the recipe's YAML")


class Draft(_Body):
    """A recipe's text, and what the form says otherwise."""

    values: dict[str, Any] | None = Field(default=None, description="the form's; null for none")
    session: _Session


class Preview(_Body):
    """A recipe's text, and the picture that it is tried on."""

    picture: str = Field(max_length=100, description="a key of the camera's pictures")
    page: int = Field(default=1, ge=1, le=100_000, description="page of the picture")
    session: _Session


class Attempt(_Body):
    """A recipe's text, and a code that one of its fields is asked about."""

    code: str = Field(max_length=_MOST_CODE, description="as a part might show it")
    field: int = Field(default=0, ge=0, le=1000, description="which of the fields, from 0")


class Save(_Body):
    """A recipe's text."""


_Model = TypeVar("_Model", bound=_Body)


def router(workshop: Workshop, options: ServeOptions) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get(
        "/v1/recipes",
        summary="Cameras and their recipes",
        response_class=Response,
        responses={200: answer("Recipes", "by camera"), **refusals()},
    )
    async def cameras() -> Response:
        return _json({"writable": workshop.writable, "cameras": await workshop.cameras()})

    @routes.get(
        "/v1/recipe-forms",
        summary="JSON Schemas of all that a recipe may say",
        response_class=Response,
        responses={200: answer("RecipeForms", "operations, detectors, fields"), **refusals(504)},
    )
    async def forms() -> Response:
        return _json(await workshop.forms())

    @routes.get(
        "/v1/recipes/{camera}",
        summary="A camera's recipe, and its tag",
        response_class=Response,
        responses={
            200: answer("Recipe", "the text, what it says, its mistakes"),
            **refusals(404, 409, 504),
        },
    )
    async def recipe(camera: _Camera) -> Response:
        found = await workshop.open(camera)
        tagged = {} if found["tag"] is None else {"ETag": f'"{found["tag"]}"'}
        return _json(found, headers=tagged)

    @routes.put(
        "/v1/recipes/{camera}",
        summary="Save a recipe: checked, whole, the old one kept",
        openapi_extra=body(Save),
        response_class=Response,
        responses={
            200: answer("Saved", "it is on disk, and the flow takes it up"),
            **refusals(400, 404, 408, 409, 412, 413, 415, 428, 504, 507),
        },
    )
    async def save(
        request: Request, camera: _Camera, if_match: _Tag = None, if_none_match: _New = None
    ) -> Response:
        given = await _given(request, Save)
        found = await workshop.save(camera, given.text, _tag(if_match, if_none_match))
        return _json(found, headers={"ETag": f'"{found["tag"]}"'})

    @routes.post(
        "/v1/recipes/{camera}/check",
        summary="Check a draft",
        openapi_extra=body(Draft),
        response_class=Response,
        responses={
            200: answer("Draft", "the draft and its mistakes"),
            **refusals(400, 404, 408, 409, 413, 415, 504),
        },
    )
    async def check(request: Request, camera: _Camera) -> Response:
        given = await _given(request, Draft)
        return _json(await workshop.check(camera, given.text, given.values, given.session))

    @routes.post(
        "/v1/recipes/{camera}/try",
        summary="Ask a draft's format about a code",
        openapi_extra=body(Attempt),
        response_class=Response,
        responses={
            200: answer("Tried", "whether it may be a code"),
            **refusals(400, 404, 408, 409, 413, 415, 504),
        },
    )
    async def attempt(request: Request, camera: _Camera) -> Response:
        given = await _given(request, Attempt)
        return _json(await workshop.attempt(camera, given.text, given.field, given.code))

    @routes.post(
        "/v1/recipes/{camera}/preview",
        summary="Try a draft on a picture",
        openapi_extra=body(Preview),
        response_class=Response,
        responses={
            200: answer("Previewed", "what every stage made of it"),
            **refusals(400, 404, 408, 409, 410, 413, 415, 504),
        },
    )
    async def preview(request: Request, camera: _Camera) -> Response:
        """Nothing of it reaches the ledger or a sink."""
        given = await _given(request, Preview)
        return _json(
            await workshop.preview(camera, given.text, given.picture, given.page, given.session)
        )

    @routes.get(
        "/v1/recipes/{camera}/pictures",
        summary="A camera's newest pictures",
        response_class=Response,
        responses={200: answer("Pictures", "newest first"), **refusals(404)},
    )
    async def pictures(camera: _Camera) -> Response:
        return _json({"pictures": await workshop.pictures(camera)})

    @routes.post(
        "/v1/recipes/{camera}/pictures",
        summary="Bring a picture to try recipes on; it is not read as a part",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["image"],
                            "properties": {
                                "image": {
                                    "type": "string",
                                    "contentMediaType": "application/octet-stream",
                                }
                            },
                        }
                    }
                },
            }
        },
        response_class=Response,
        responses={
            200: answer("Brought", "its key, for as long as the station runs"),
            **refusals(400, 404, 408, 413, 415, 507),
        },
    )
    async def bring(request: Request, camera: _Camera) -> Response:
        _require_kind(request, "multipart/form-data")
        async with request.form(max_files=1, max_fields=1) as form:
            given = next((part for part in form.values() if isinstance(part, UploadFile)), None)
            if given is None:
                raise RefusedError(
                    422, "no-picture", "the form has no file", "curl -F image=@part.png URL"
                )
            if (given.size or 0) > options.max_upload_megabytes * 1e6:
                raise _too_large(options.max_upload_megabytes * 1e6)
            content = await given.read()
        return _json({"key": await workshop.bring(content, given.filename or "picture", camera)})

    @routes.get(
        "/v1/recipes/{camera}/earlier",
        summary="The recipe's earlier texts, by the moment until which they held",
        response_class=Response,
        responses={200: answer("Earlier", "newest first"), **refusals(404)},
    )
    async def earlier(camera: _Camera) -> Response:
        return _json({"earlier": await workshop.earlier(camera)})

    @routes.get(
        "/v1/recipes/{camera}/earlier/{stamp}",
        summary="An earlier text of the recipe",
        response_class=Response,
        responses={200: answer("EarlierText", "the text"), **refusals(404, 409)},
    )
    async def earlier_text(camera: _Camera, stamp: Annotated[str, Path(max_length=40)]) -> Response:
        return _json({"text": await workshop.earlier_text(camera, stamp)})

    return routes


def _tag(if_match: str | None, if_none_match: str | None) -> str | None:
    """The tag of what is to be replaced; None for a recipe that is new."""
    if if_none_match is not None and if_none_match.strip() == "*" and if_match is None:
        return None
    if if_match is not None and if_none_match is None:
        return if_match.strip().removeprefix("W/").strip('"')
    raise RefusedError(
        428,
        "tag-wanted",
        "nobody replaces a recipe unseen",
        'send `If-Match: "TAG"` with the tag of GET, or `If-None-Match: *` for a new recipe',
    )


async def _given(request: Request, model: type[_Model]) -> _Model:
    _require_kind(request, "application/json")
    content = await _bytes(request, MOST_BODY_BYTES)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)) from None


def _require_kind(request: Request, wanted: str) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise RefusedError(
            415, "content-type", f"{kind or 'no type'} is not taken", f"send {wanted}"
        )


async def _bytes(request: Request, most: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise _too_large(most)
    return bytes(content)


def _too_large(most: float) -> RefusedError:
    return RefusedError(
        413, "too-large", f"more than {most / 1e6:.2g} MB", "send less", {"Connection": "close"}
    )


def _json(found: Any, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    return Response(text, media_type="application/json", headers=headers)
