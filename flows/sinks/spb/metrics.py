"""A row of the ledger as metrics: which of its fields a SCADA system gets, and of what type.

The lists of a row (`characters`, `cord`, `outline`, `timings_ms`) stay in the other sinks. Names
are the vocabulary's; a metric is called `<field of the recipe>/<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.sinks.spb.encoding import DataType, Value
from flows.vocabulary import FIELDS

_TYPES = {
    "text": DataType.STRING,
    "status": DataType.STRING,
    "integer": DataType.INT32,
    "number": DataType.DOUBLE,
    "boolean": DataType.BOOLEAN,
    "time": DataType.DATETIME,
}
_ELSEWHERE = frozenset({"station", "field", "sha256"})
"""The edge node's name, the metrics' folder, and what only an archive needs."""

METRICS: dict[str, DataType] = {
    field.name: DataType.INT64 if field.name == "seq" else _TYPES[field.kind]
    for field in FIELDS
    if field.kind in _TYPES and field.name not in _ELSEWHERE
}
"""The metrics of each field of a recipe, in the order in which they are sent."""


def of_row(row: Mapping[str, Any]) -> dict[str, Value]:
    """A row's values by the names of `METRICS`."""
    return {name: row[name] for name in METRICS}
