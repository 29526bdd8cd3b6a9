"""YAML that remembers where each value stood, so that an error can name its file and line.

A document becomes plain values plus a map from a key's path to its line. Documents are laid over
one another (`markwatch.yaml`, then `local.yaml`, then the environment); the last one that sets a
value is the one that an error names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from stages.errors import ConfigError

Loc = tuple[str | int, ...]

_MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of values: a file (`label` as a person would type it) or the environment."""

    label: str
    values: Mapping[str, Any]
    lines: Mapping[Loc, int] = field(default_factory=dict)
    place: Callable[[Loc], str] = lambda loc: "the defaults"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One mistake: the file as a person would type it, its line, the value, and what is wrong."""

    label: str
    line: int | None
    loc: Loc
    words: str

    def __str__(self) -> str:
        place = self.label if self.line is None else f"{self.label}:{self.line}"
        return f"{place} {_dotted(self.loc)}: {self.words}" if self.loc else f"{place} {self.words}"


class ComplaintsError(ConfigError):
    """Mistakes in what people wrote, one line each; `complaints` has them apart."""

    def __init__(self, found: Iterable[Complaint]) -> None:
        self.complaints = tuple(found)
        super().__init__("\n".join(map(str, self.complaints)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.complaints,)


def read_layer(path: Path, label: str) -> Layer:
    """Read one YAML file, which must hold a mapping (or nothing).

    Raises:
        ConfigError: it cannot be read, is no YAML, is no mapping, or sets a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{label}: cannot be read: {error}") from error
    return parse_layer(text, label)


def parse_layer(text: str, label: str) -> Layer:
    """The layer that a YAML text gives, which must hold a mapping (or nothing).

    Raises:
        ComplaintsError: it is no YAML, is no mapping, sets a key twice, or is far too much.
    """
    lines: dict[Loc, int] = {}
    loader = None

    def refused(line: int | None, words: str) -> ComplaintsError:
        return ComplaintsError([Complaint(label, line, (), words)])

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        values = {} if node is None else _construct(loader, node, (), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise refused(line, f"is not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise refused(None, f"is not valid YAML: {' '.join(str(error).split())}") from error
    except (ValueError, TypeError, RecursionError) as error:
        # PyYAML's constructors: 2026-13-45, 0x_, [a]: b, an alias within itself
        raise refused(None, f"is not valid YAML: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise refused(1, "must be a mapping of keys to values")
    return Layer(label, values, lines)


def plain(node: yaml.Node) -> Any:
    """The value of a node that `yaml.compose` gave.

    Raises:
        yaml.YAMLError, ValueError, TypeError, RecursionError: it has none.
    """
    return _construct(yaml.SafeLoader(""), node, (), {})


def _construct(loader: yaml.SafeLoader, node: yaml.Node, loc: Loc, lines: dict[Loc, int]) -> Any:
    if len(lines) > _MOST_VALUES:
        # A few lines of aliases of aliases stand for more values than any memory holds.
        raise yaml.MarkedYAMLError(
            problem=f"more than {_MOST_VALUES} values", problem_mark=node.start_mark
        )
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _whole(loader.construct_object(key_node, deep=True), key_node)
            line = key_node.start_mark.line + 1
            if isinstance(key, bool | int | float) or key is None:
                key = key_node.value
            if key in result:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} is set twice", problem_mark=key_node.start_mark
                )
            lines[(*loc, key)] = line
            result[key] = _construct(loader, value_node, (*loc, key), lines)
        return result
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*loc, index)] = item.start_mark.line + 1
            items.append(_construct(loader, item, (*loc, index), lines))
        return items
    return _whole(loader.construct_object(node, deep=True), node)


def _whole(value: Any, node: yaml.Node) -> Any:
    """Refuse half a character, as in "\\ud800": no file, row or message could hold it."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise yaml.MarkedYAMLError(
                problem=f"{value!a} holds half of a character", problem_mark=node.start_mark
            ) from None
    return value


def overlay(layers: Iterable[Layer]) -> dict[str, Any]:
    """Lay the layers over one another: mappings merge key by key, anything else is replaced.

    A mapping that names another plug-in (`use`) replaces what lay under it: those were the options
    of the first.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        result = _merge(result, layer.values)
    return result


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and _same_use(below, value):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _same_use(below: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    return "use" not in above or above["use"] == below.get("use", above["use"])


def complaints(error: ValidationError, layers: Iterable[Layer]) -> ComplaintsError:
    """One line for each mistake: `conf/markwatch.yaml:14 sinks.mqtt.port: 0 ...`."""
    ordered = list(layers)
    items = error.errors(include_url=False)
    told = [
        Complaint(*_place(ordered, item["loc"]), item["loc"], _message(item))
        for item in items
        if not _follows(item, items)
    ]
    return ComplaintsError(sorted(told, key=lambda each: (each.label, each.line or 0)))


def _follows(item: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a list is called too short only because its items are wrong."""
    loc = item["loc"]
    return item["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in items
    )


def _place(layers: list[Layer], loc: Loc) -> tuple[str, int | None]:
    for length in range(len(loc), 0, -1):
        for layer in reversed(layers):
            line = layer.lines.get(loc[:length])
            if line:
                return layer.label, line
            if not layer.lines and _holds(layer.values, loc[:length]):
                return layer.place(loc[:length]), None
    return (layers[-1].label if layers else "configuration"), None


def _holds(values: Any, loc: Loc) -> bool:
    for key in loc:
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True


def _dotted(loc: Loc) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _message(item: Mapping[str, Any]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return "unknown key"
    if item["type"] == "missing":
        return "is required"
    if item["type"] in ("tuple_type", "list_type"):
        return "must be a list: begin each item with '- ', or write [a, b]"
    if item["type"] in ("dict_type", "model_type", "mapping_type", "model_attributes_type"):
        return "must be a mapping of keys to values"
    value = item["input"]
    if isinstance(value, bool | int | float | str) and item["type"] != "value_error":
        message = f"{value!r}: {message[0].lower()}{message[1:]}"
    if item["type"] == "string_type":
        message += " (put it in quotes)"
    return message
