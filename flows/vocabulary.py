"""The one vocabulary that markwatch speaks outside: a flat row per mark.

`FIELDS` is the only definition; the JSON Schema (MQTT, HTTP), the Arrow schema (Parquet) and the
CSV columns are made from it. A field that a later version fills is null until then: columns are
never added later, because DuckDB and pandas drop a column that the first file does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stages.records import Failure, Mark, Report

if TYPE_CHECKING:
    import pyarrow

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One column: `kind` is a key of `_JSON_TYPES` and of the table in `arrow_schema`."""

    name: str
    kind: str
    nullable: bool
    description: str


FIELDS: tuple[Field, ...] = (
    Field("id", "text", False, "image id - revision - mark index; the same in every sink"),
    Field("seq", "integer", False, "gapless number in this station: the serial number"),
    Field("station", "text", False, "this installation"),
    Field("camera", "text", False, "inbox subfolder"),
    Field("field", "text", False, "field of the recipe"),
    Field("image", "text", False, "file name as dropped"),
    Field("page", "integer", False, "page of a multi-page file, from 1"),
    Field("code", "text", True, "the mapped code; null unless status is read"),
    Field("candidate", "text", True, "the likeliest string, also when it may not be trusted"),
    Field("margin", "number", True, "log-probability of the candidate over the runner-up"),
    Field("status", "status", False, "read, unsure, mismatch, unread or failed"),
    Field("reason", "text", True, "why, in one line for a person"),
    Field("text", "text", True, "what was read before mapping"),
    Field("confidence", "number", True, "probability that the whole code is right"),
    Field("characters", "characters", False, "the evidence for each position of text"),
    Field("expected", "text", True, "the code that was expected, when one was given"),
    Field("match", "boolean", True, "whether the code is the expected one"),
    Field("cord", "box", True, "x1, y1, x2, y2 in the original picture's pixels"),
    Field("outline", "outline", True, "four corners from the text's top left, in original pixels"),
    Field("mark", "integer", False, "index of this mark in the picture, from 1"),
    Field("marks", "integer", False, "count of marks in the picture"),
    Field("captured_at", "time", True, "when the picture was taken: file time or its name"),
    Field("arrived_at", "time", False, "when the picture was claimed"),
    Field("read_at", "time", False, "when the report was committed"),
    Field("revision", "integer", False, "1, and one more for each time the picture is read again"),
    Field("supersedes", "text", True, "the id that this revision replaces"),
    Field("duplicate_of", "text", True, "the earlier id with the same code in the recipe's window"),
    Field("reply", "text", True, "what the device answered"),
    Field("sha256", "text", True, "of the file; null when it could not be read"),
    Field("recipe", "text", True, "name@hash"),
    Field("model", "text", True, "name@hash"),
    Field("timings_ms", "timings", False, "stage to milliseconds"),
)
NAMES: tuple[str, ...] = tuple(field.name for field in FIELDS)
TIMES: tuple[str, ...] = tuple(field.name for field in FIELDS if field.kind == "time")

_NULLABLE_NUMBER = {"type": ["number", "null"]}
_NULLABLE_TEXT = {"type": ["string", "null"]}
_CHARACTER = {
    "char": {"type": "string"},
    "confidence": {"type": "number"},
    "steered_confidence": _NULLABLE_NUMBER,
    "alternative": _NULLABLE_TEXT,
    "alternative_confidence": _NULLABLE_NUMBER,
    "grade": _NULLABLE_TEXT,
}
_POINT = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_JSON_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "status": {"type": "string", "enum": ["read", "unsure", "mismatch", "unread", "failed"]},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time", "pattern": "Z$"},
    "box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
    "outline": {"type": "array", "items": _POINT, "minItems": 4, "maxItems": 4},
    "characters": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": _CHARACTER,
            "required": list(_CHARACTER),
            "additionalProperties": False,
        },
    },
    "timings": {"type": "object", "additionalProperties": {"type": "number"}},
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one row as MQTT and HTTP carry it."""
    properties = {}
    for field in FIELDS:
        described = {**_JSON_TYPES[field.kind], "description": field.description}
        if field.nullable:
            described["type"] = [described["type"], "null"]
        properties[field.name] = described
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "markwatch reading",
        "type": "object",
        "properties": properties,
        "required": list(NAMES),
        "additionalProperties": False,
    }


def arrow_schema() -> pyarrow.Schema:
    """The Arrow schema of one row; every column typed, so an empty one reads like a full one."""
    import pyarrow as pa

    character = pa.struct(
        [
            ("char", pa.string()),
            ("confidence", pa.float64()),
            ("steered_confidence", pa.float64()),
            ("alternative", pa.string()),
            ("alternative_confidence", pa.float64()),
            ("grade", pa.string()),
        ]
    )
    types = {
        "text": pa.string(),
        "status": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "box": pa.list_(pa.float64()),
        "outline": pa.list_(pa.list_(pa.float64())),
        "characters": pa.list_(character),
        "timings": pa.map_(pa.string(), pa.float64()),
    }
    return pa.schema(
        pa.field(
            field.name,
            types[field.kind],
            nullable=field.nullable,
            metadata={"description": field.description},
        )
        for field in FIELDS
    )


def to_json(row: Row) -> str:
    """One row as compact JSON; times as RFC 3339 in UTC with Z.

    Raises:
        TypeError: a value is of no kind that a row holds.
        ValueError: a number is not finite.
    """
    return json.dumps(
        row, ensure_ascii=False, separators=(",", ":"), default=_encode, allow_nan=False
    )


def from_json(text: str) -> dict[str, Any]:
    """The row that `to_json` wrote, with its times as aware datetimes again."""
    row = json.loads(text)
    for name in TIMES:
        if row[name] is not None:
            row[name] = datetime.fromisoformat(row[name])
    return row


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and Z: `2026-11-20T17:05:22.000001Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _encode(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    raise TypeError(f"{type(value).__name__} does not belong in a row")


def rows(
    outcome: Report | Failure,
    *,
    station: str,
    first_seq: int,
    read_at: datetime,
    revision: int = 1,
    supersedes: Iterable[str | None] = (),
) -> Iterator[dict[str, Any]]:
    """The rows of one picture, numbered from `first_seq`: one per mark, or one `failed` row."""
    if isinstance(outcome, Failure):
        marks: tuple[Mark, ...] = (
            Mark(field="code", page=1, status="failed", reason=outcome.reason),
        )
        model = None
    else:
        marks, model = outcome.marks, outcome.model
    image = outcome.image
    earlier = list(supersedes)
    for index, mark in enumerate(marks, 1):
        reading = mark.reading
        row = {
            "id": f"{image.id}-{revision}-{index}",
            "seq": first_seq + index - 1,
            "station": station,
            "camera": image.camera,
            "field": mark.field,
            "image": image.name,
            "page": mark.page,
            "code": mark.code,
            "candidate": mark.candidate,
            "margin": mark.margin,
            "status": mark.status,
            "reason": mark.reason,
            "text": reading.transcript.text if reading else None,
            "confidence": mark.confidence,
            "characters": _characters(reading.transcript.characters) if reading else [],
            "expected": mark.expected,
            "match": mark.match,
            "cord": list(reading.box) if reading else None,
            "outline": [list(point) for point in reading.outline] if reading else None,
            "mark": index,
            "marks": len(marks),
            "captured_at": image.captured_at,
            "arrived_at": image.arrived_at,
            "read_at": read_at,
            "revision": revision,
            "supersedes": earlier[index - 1] if index <= len(earlier) else None,
            "duplicate_of": None,
            "reply": None,
            "sha256": image.sha256,
            "recipe": outcome.recipe,
            "model": model,
            "timings_ms": dict(outcome.timings_ms),
        }
        yield row


def _characters(characters: Iterable[Any]) -> list[dict[str, Any]]:
    return [{name: getattr(character, name) for name in _CHARACTER} for character in characters]
