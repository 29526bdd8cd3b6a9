"""What OpenAPI shows of the recipe editor's routes: schemas, and an example of each."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from flows.serve.examples import READING

_TEXT = "fields:\n  - name: code\n    map: {case: upper, format: '[A-Z]{2}\\d{6}'}\n"
_STAMP = "20261121T081502.120000Z"
_string = {"type": "string"}
_maybe = {"type": ["string", "null"]}
_integer = {"type": "integer"}
_boolean = {"type": "boolean"}
_mapping = {"type": "object"}
_points = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}

_CHECKED: dict[str, Any] = {
    "text": _TEXT,
    "comments_kept": True,
    "values": {"fields": [{"name": "code", "map": {"case": "upper", "format": "[A-Z]{2}\\d{6}"}}]},
    "own": ["fields"],
    "recipe": "press-3@1f0e2d3c",
    "complaints": [],
}
_COMPLAINT = {
    "file": "conf/recipes/press-3.yaml",
    "line": 4,
    "loc": ["fields", 0, "detect", "margin"],
    "words": "-1: input should be greater than or equal to 0",
    "text": "conf/recipes/press-3.yaml:4 fields[0].detect.margin: -1: input should be ...",
}
_FRAME = {"name": "crop", "ms": 0.4, "size": [640, 220], "jpeg": "/9j/4AAQ..."}
_LINE = {
    "number": 1,
    "field": "code",
    "text": "KX204817",
    "crop": "/9j/4AAQ...",
    "shape": [[212, 150], [654, 148], [655, 219], [213, 221]],
    "shape_ready": [[12, 50], [454, 48], [455, 119], [13, 121]],
}
_LIKELY = {"text": "KX204817", "probability": 0.98, "fits": True}
_MARK = {
    "reading": READING,
    "lines": [1],
    "threshold": 0.8,
    "min_margin": 1.0,
    "way": [["as read", "KX204817"]],
    "likely": [_LIKELY],
    "legal": [_LIKELY],
}

_EXAMPLES: dict[str, Any] = {
    "Recipes": {"writable": True, "cameras": [{"camera": "press-3", "recipe": "press-3"}]},
    "RecipeForms": {"operations": {"crop": {"about": "Keep a part.", "schema": {}}}},
    "Recipe": {"camera": "press-3", "tag": "3b5d5c3712955042212316173ccf37be", **_CHECKED},
    "Draft": {**_CHECKED, "recipe": None, "complaints": [_COMPLAINT]},
    "Saved": {
        "camera": "press-3",
        "tag": "3b5d5c3712955042212316173ccf37be",
        "kept": _STAMP,
        "recipe": "press-3@1f0e2d3c",
    },
    "Tried": {
        "accepted": False,
        "cleaned": "KX20481",
        "reason": "after 'KX20481' still comes [0-9]",
        "pattern": "[A-Z]{2}\\d{6}",
        "segments": {},
        "checks": [{"scheme": "luhn", "complaint": None}],
    },
    "Previewed": {
        "name": "part-17.png",
        "pages": 1,
        "page": 1,
        "failure": None,
        "frames": [_FRAME],
        "lines": [_LINE],
        "marks": [_MARK],
        "recipe": "press-3@1f0e2d3c",
        "model": "trocr-marks@7a1b2c3d",
        "timings_ms": READING["timings_ms"],
    },
    "Pictures": {
        "pictures": [
            {
                "key": "01936f4e-8a10-7c3e-9a55-0c1f6e1d2b3a",
                "name": "part-17.png",
                "status": "read",
                "code": "KX204817",
                "candidate": "KX204817",
                "read_at": READING["read_at"],
                "crop": f"/v1/readings/{READING['id']}/crop",
            }
        ]
    },
    "Brought": {"key": "brought-9f86d081884c7d659a2feaa0c55ad015"},
    "Earlier": {"earlier": [_STAMP]},
    "EarlierText": {"text": _TEXT},
}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_checked = {
    "text": {**_string, "description": "the YAML, with the form's values in it"},
    "comments_kept": {**_boolean, "description": "false where it had to be written anew"},
    "values": {**_mapping, "description": "what it says, over the default recipe"},
    "own": {**_list(_string), "description": "the keys that the text itself sets"},
    "recipe": {**_maybe, "description": "name@hash; null with mistakes"},
    "complaints": _list(
        _object(
            file=_string,
            line={"type": ["integer", "null"]},
            loc=_list({"type": ["string", "integer"]}),
            words=_string,
            text=_string,
        )
    ),
}
_likely = _object(text=_string, probability={"type": "number"}, fits=_boolean)
_mark = _object(
    reading={"$ref": "#/components/schemas/Reading"},
    lines=_list(_integer),
    threshold={"type": "number"},
    min_margin={"type": "number"},
    way=_list(_list(_string)),
    likely=_list(_likely),
    legal=_list(_likely),
)
_SCHEMAS: dict[str, Any] = {
    "Recipes": _object(writable=_boolean, cameras=_list(_object(camera=_string, recipe=_string))),
    "RecipeForms": _mapping,
    "Recipe": _object(camera=_string, tag=_maybe, **_checked),
    "Draft": _object(**_checked),
    "Saved": _object(camera=_string, tag=_string, kept=_maybe, recipe=_string),
    "Tried": _object(
        accepted=_boolean,
        cleaned=_string,
        reason=_maybe,
        pattern=_maybe,
        segments=_mapping,
        checks=_list(_object(scheme=_string, complaint=_maybe)),
    ),
    "Previewed": _object(
        name=_string,
        pages=_integer,
        page=_integer,
        failure={"type": ["object", "null"]},
        frames=_list(
            _object(
                name=_maybe,
                ms={"type": ["number", "null"]},
                size=_list(_integer),
                jpeg={**_string, "contentEncoding": "base64"},
            )
        ),
        lines=_list(
            _object(
                number=_integer,
                field=_string,
                text=_string,
                crop={**_string, "contentEncoding": "base64"},
                shape=_points,
                shape_ready=_points,
            )
        ),
        marks=_list(_mark),
        recipe=_string,
        model=_maybe,
        timings_ms=_mapping,
    ),
    "Pictures": _object(
        pictures=_list(
            _object(
                key=_string,
                name=_string,
                status=_string,
                code=_maybe,
                candidate=_maybe,
                read_at=_string,
                crop=_maybe,
            )
        )
    ),
    "Brought": _object(key=_string),
    "Earlier": _object(earlier=_list(_string)),
    "EarlierText": _object(text=_string),
}


def schemas() -> dict[str, Any]:
    """The schemas that the routes refer to, for `components`."""
    return dict(_SCHEMAS)


def examples() -> dict[str, Any]:
    """The examples that the routes refer to, for `components`."""
    return {name: {"value": value} for name, value in _EXAMPLES.items()}


def answer(name: str, words: str) -> dict[str, Any]:
    """An answer in JSON of the schema of this name, with its example."""
    shown = {"example": {"$ref": f"#/components/examples/{name}"}}
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        "description": words,
        "content": {"application/json": {"schema": schema, "examples": shown}},
    }


def body(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of a route that takes this model in JSON, for `openapi_extra`."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
