"""What the OpenAPI page shows: the schema of a reading, the refusals, and an example of each."""

from __future__ import annotations

from typing import Any

from flows import vocabulary
from flows.serve.problems import schema as problem_schema

READING: dict[str, Any] = {
    "id": "01936f4e-8a10-7c3e-9a55-0c1f6e1d2b3a-1-1",
    "seq": 4711,
    "station": "station-1",
    "camera": "press-3",
    "field": "code",
    "image": "part-17.4f0c9a1be2d3.png",
    "page": 1,
    "code": "KX204817",
    "candidate": "KX204817",
    "margin": 6.2,
    "status": "read",
    "reason": None,
    "text": "KX204817",
    "confidence": 0.987,
    "characters": [
        {
            "char": "K",
            "confidence": 0.998,
            "steered_confidence": 0.999,
            "alternative": "X",
            "alternative_confidence": 0.001,
            "grade": None,
        }
    ],
    "expected": "KX204817",
    "match": True,
    "cord": [212.0, 148.0, 655.0, 221.0],
    "outline": [[212.0, 150.0], [654.0, 148.0], [655.0, 219.0], [213.0, 221.0]],
    "mark": 1,
    "marks": 1,
    "captured_at": "2026-11-21T08:15:02.120000Z",
    "arrived_at": "2026-11-21T08:15:02.310000Z",
    "read_at": "2026-11-21T08:15:02.844000Z",
    "revision": 1,
    "supersedes": None,
    "duplicate_of": None,
    "reply": None,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "recipe": "press-3@1f0e2d3c",
    "model": "trocr-marks@7a1b2c3d",
    "timings_ms": {"decode": 12.0, "detect": 31.5, "recognise": 410.2, "map": 0.8},
}

PROBLEM = {
    "error": "unknown-camera",
    "detail": "there is no camera 'pres-3'",
    "remedy": "use one of default, press-3; a new one wants conf/recipes/pres-3.yaml "
    "or a folder in the inbox",
}

_REFUSALS = {
    400: "the request cannot be understood",
    401: "no token, or a wrong one",
    403: "sent by a page of another site",
    404: "there is no such thing",
    405: "another method is wanted",
    408: "the body came too slowly",
    409: "it is being changed by somebody else",
    410: "the picture is not kept any more",
    412: "somebody else has written meanwhile",
    413: "too large",
    415: "neither multipart nor JSON",
    422: "not a picture, or a field that cannot be",
    428: "say what is to be replaced",
    429: "too many requests from this address",
    503: "the station stops, is full, or its inbox is away",
    504: "it took too long, or too much memory",
    507: "no room on the disk",
}
_ALWAYS = (401, 403, 422, 429, 503)

FIELDS: dict[str, Any] = {
    "camera": {"type": "string", "description": "inbox subfolder; default: `default`"},
    "recipe": {"type": "string", "description": "name of a recipe, instead of the camera"},
    "name": {"type": "string", "description": "lends its stem to the file's name in the inbox"},
    "expected": {"type": "string", "description": "the code that the part should show"},
    "wait": {"type": "boolean", "default": False, "description": "answer with the reading"},
}
_OPTIONAL = {name: {**field, "type": [field["type"], "null"]} for name, field in FIELDS.items()}

SUBMIT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {"type": "string", "contentMediaType": "application/octet-stream"},
                    **FIELDS,
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "additionalProperties": False,
                "properties": {
                    "image": {
                        "type": "string",
                        "contentEncoding": "base64",
                        "description": "the file's bytes in base64; a data: URL is taken too",
                    },
                    **_OPTIONAL,
                },
            },
            "example": {"image": "iVBORw0KGgo...", "camera": "press-3", "expected": "KX204817"},
        },
    },
}

ACCEPTED: dict[str, Any] = {
    "state": "accepted",
    "camera": "press-3",
    "image": "part-17.4f0c9a1be2d3.png",
    "code": None,
    "cord": None,
    "readings": [],
    "detail": "it lies in the inbox and will be read",
    "follow": "/v1/readings?camera=press-3&image=part-17.4f0c9a1be2d3.png&cursor=4710",
}
REPORTED: dict[str, Any] = {
    **ACCEPTED,
    "state": "reported",
    "code": READING["code"],
    "cord": READING["cord"],
    "readings": [READING],
    "detail": None,
}


def schemas() -> dict[str, Any]:
    """The schemas that the routes refer to, for `components`."""
    reading = {key: part for key, part in vocabulary.json_schema().items() if key != "$schema"}
    listed = {"type": "array", "items": _ref("Reading")}
    text = {"type": "string"}
    submitted = {
        "state": {"enum": ["accepted", "reported"]},
        "camera": text,
        "image": {**text, "description": "the name that the picture got, which no other has"},
        "code": {"type": ["string", "null"], "description": "of the first mark"},
        "cord": {"type": ["array", "null"], "items": {"type": "number"}, "description": "its box"},
        "readings": listed,
        "detail": {"type": ["string", "null"]},
        "follow": {**text, "description": "where the readings will be"},
    }
    return {
        "Reading": reading,
        "Readings": {
            "type": "object",
            "required": ["readings", "next"],
            "properties": {"readings": listed, "next": {"type": ["integer", "null"]}},
        },
        "Submitted": {"type": "object", "required": list(submitted), "properties": submitted},
        "Problem": problem_schema(),
    }


def examples() -> dict[str, Any]:
    """The examples that the routes refer to, for `components`.

    By reference, because FastAPI leaves out what is null in those that stand in a route.
    """
    found = {
        "Reading": READING,
        "Readings": {"readings": [READING], "next": READING["seq"]},
        "Accepted": ACCEPTED,
        "Reported": REPORTED,
        "Problem": PROBLEM,
    }
    return {name: {"value": value} for name, value in found.items()}


def content(schema: str, example: str) -> dict[str, Any]:
    """An answer in JSON of this schema, with this example."""
    shown = {"example": {"$ref": f"#/components/examples/{example}"}}
    return {"content": {"application/json": {"schema": _ref(schema), "examples": shown}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route: these, and those that any may give."""
    return {
        status: {"description": _REFUSALS[status], **content("Problem", "Problem")}
        for status in sorted({*_ALWAYS, *statuses})
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
