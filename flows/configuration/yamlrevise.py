"""New values for the text of a YAML file: what stays the same keeps its lines and its comments.

The text is changed where the parser says that a value stands, one change after another, until it
reads as was wanted. A list's item travels with the comment lines above it. What is written in a way
that cannot be changed so (anchors, tags, more than one document) is written anew, without comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import yaml

from flows.configuration.yamledit import last_line
from flows.configuration.yamlfile import parse_layer, plain
from stages.errors import ConfigError

_MOST_CHANGES = 200
_WIDTH = 100
_OPEN = 2
"""Levels that are always written as blocks: the recipe's keys, and each item of their lists."""

_LABEL = "the text"


@dataclass(frozen=True, slots=True)
class _Change:
    begin: int
    end: int
    text: str


class _CannotError(Exception):
    """Written in a way that is not changed in place."""


def revised(text: str, values: Mapping[str, Any]) -> tuple[str, bool]:
    """The text with these values, and whether it was changed in place, so that comments are kept.

    `values` hold what JSON has.

    Raises:
        ConfigError: the text is no YAML, or no mapping, or the values are nested too deeply.
    """
    parse_layer(text, _LABEL)
    try:
        changed = _in_place(text, values)
        return (_block(values, 0, 0), False) if changed is None else (changed, True)
    except RecursionError as error:
        raise ConfigError(f"{_LABEL}: the values are nested too deeply") from error


def _in_place(text: str, values: Mapping[str, Any]) -> str | None:
    """The text changed where the values stand; None where that does not come out right."""
    changed = text
    try:
        for _ in range(_MOST_CHANGES):
            node = yaml.compose(changed, Loader=yaml.SafeLoader)
            if node is None:
                return changed + _block(values, 0, 0)
            change = _change(changed, node, values, 0)
            if change is None:
                break
            changed = changed[: change.begin] + change.text + changed[change.end :]
        right = _same(parse_layer(changed, _LABEL).values, values)
    except (_CannotError, ConfigError, yaml.YAMLError, ValueError, TypeError, LookupError):
        return None
    return changed if right else None


def _change(text: str, node: yaml.Node, value: Any, depth: int) -> _Change | None:
    """The first of the changes that bring a node to a value; None where it has it."""
    if _same(plain(node), value):
        return None
    if node.value and isinstance(node, yaml.MappingNode) and isinstance(value, Mapping) and value:
        return _change_of_mapping(text, node, value, depth)
    if node.value and isinstance(node, yaml.SequenceNode) and _is_list(value) and value:
        return _change_of_list(text, node, value, depth)
    return _replaced(text, node, value)


def _change_of_mapping(
    text: str, node: yaml.MappingNode, value: Mapping[str, Any], depth: int
) -> _Change | None:
    entries = [(key.value, key, each) for key, each in node.value]
    names = [name for name, _, _ in entries]
    if not set(names) & value.keys():
        return _replaced(text, node, value)
    for at, (name, key, each) in enumerate(entries):
        if name not in value:
            return _removed(text, node, at, key, each)
        if (change := _change(text, each, value[name], depth + 1)) is not None:
            return change
    order = list(value)
    for name in order:
        if name not in names:
            later = [other for other in order[order.index(name) + 1 :] if other in names]
            return _added(text, node, name, value[name], depth, later[0] if later else None)
    return None


def _removed(
    text: str, node: yaml.MappingNode, at: int, key: yaml.Node, value: yaml.Node
) -> _Change:
    if at + 1 < len(node.value) and (node.flow_style or not _begins_line(text, key)):
        return _Change(key.start_mark.index, node.value[at + 1][0].start_mark.index, "")
    if node.flow_style:
        return _Change(node.value[at - 1][1].end_mark.index, value.end_mark.index, "")
    starts = _line_starts(text)
    return _Change(starts[key.start_mark.line], starts[last_line(value) + 1], "")


def _added(
    text: str, node: yaml.MappingNode, name: str, value: Any, depth: int, before: str | None
) -> _Change:
    first = node.value[0][0]
    if node.flow_style:
        end = node.value[-1][1].end_mark.index
        return _Change(end, end, f", {_flow({name: value})[1:-1]}")
    entry = _entry(name, value, first.start_mark.column, depth)
    starts, lines = _line_starts(text), text.splitlines(keepends=True)
    follower = next((key for key, _ in node.value if key.value == before), None)
    if follower is not None and _begins_line(text, follower):
        line = _first_comment(lines, follower.start_mark.line)
        # The comment at the top of a file is about the file.
        line = follower.start_mark.line if line == 0 else line
        return _Change(starts[line], starts[line], entry)
    line = last_line(node.value[-1][1])
    gap = "" if lines[line].endswith(("\n", "\r")) else "\n"
    return _Change(starts[line + 1], starts[line + 1], gap + entry)


def _change_of_list(
    text: str, node: yaml.SequenceNode, value: Sequence[Any], depth: int
) -> _Change | None:
    items = [plain(item) for item in node.value]
    pairs = dict(_pairs(items, value))
    if len(items) == len(value) and all(new == old for new, old in pairs.items()):
        changes = (_change(text, node.value[at], value[at], depth + 1) for at in range(len(items)))
        return next(filter(None, changes), None)
    if node.flow_style:
        return _replaced(text, node, value)
    column = node.start_mark.column
    lines, starts = text.splitlines(keepends=True), _line_starts(text)
    first = _first_comment(lines, node.start_mark.line)
    begins = [first, *(last_line(item) + 1 for item in node.value)]
    if any(not lines[item.start_mark.line][column:].startswith("-") for item in node.value):
        raise _CannotError
    chunks = ["".join(lines[begin:end]) for begin, end in pairwise(begins)]
    written = [
        _with_end(chunks[pairs[at]]) if at in pairs else _block([each], column, depth)
        for at, each in enumerate(value)
    ]
    return _Change(starts[first], starts[begins[-1]], "".join(written))


def _pairs(old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """(place in the new list, place in the old one) of items that are the same, or are alike."""
    left = dict(enumerate(old))
    missing = []
    for at, each in enumerate(new):
        same = next((place for place, other in left.items() if _same(other, each)), None)
        if same is None:
            missing.append(at)
        else:
            del left[same]
            yield at, same
    for at in missing:
        alike = [place for place, other in left.items() if _kind(other) == _kind(new[at])]
        if alike:
            place = at if at in alike else alike[0]
            del left[place]
            yield at, place


def _kind(item: Any) -> Any:
    """What makes two items the same thing with other values: an operation, or a field's name."""
    if isinstance(item, Mapping):
        return item.get("name") if len(item) > 1 else next(iter(item), None)
    return type(item)


def _replaced(text: str, node: yaml.Node, value: Any) -> _Change:
    begin, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        end = len("".join(text.splitlines(keepends=True)[: last_line(node) + 1]).rstrip("\r\n"))
    elif isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        end = begin + len(text[begin:end].rstrip())
    gap = " " if begin and not text[begin - 1].isspace() and text[begin - 1] not in "[{" else ""
    return _Change(begin, end, gap + _flow(value))


def _block(value: Any, column: int, depth: int) -> str:
    """Lines of a mapping or a list; within an item of a list, what fits stands on one line."""
    indent = " " * column
    if isinstance(value, Mapping):
        return "".join(_entry(name, each, column, depth) for name, each in value.items())
    lines = []
    for each in value:
        if depth < _OPEN and isinstance(each, Mapping) and each:
            inner = _block(each, column + 2, depth + 1)
            lines.append(f"{indent}- {inner[column + 2 :]}")
        else:
            lines.append(f"{indent}- {_flow(each)}\n")
    return "".join(lines)


def _entry(name: str, value: Any, column: int, depth: int) -> str:
    begin = f"{' ' * column}{_flow(name)}:"
    line = f"{begin} {_flow(value)}\n"
    parts = isinstance(value, Mapping | list | tuple) and value
    if not parts or (depth >= _OPEN and len(line) <= _WIDTH):
        return line
    return f"{begin}\n{_block(value, column + 2, depth + 1)}"


def _flow(value: Any) -> str:
    written = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=True
    )
    return str(written).removesuffix("\n").removesuffix("\n...")


def _same(one: Any, other: Any) -> bool:
    """Equal, and a truth value is no number."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if _is_list(one) and _is_list(other):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _begins_line(text: str, node: yaml.Node) -> bool:
    begin = node.start_mark.index
    return not text[begin - node.start_mark.column : begin].strip()


def _first_comment(lines: Sequence[str], line: int) -> int:
    """The first of the comment lines that stand right above a line."""
    above = takewhile(lambda each: each.lstrip().startswith("#"), reversed(lines[:line]))
    return line - sum(1 for _ in above)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _with_end(chunk: str) -> str:
    return chunk if chunk.endswith(("\n", "\r")) else chunk + "\n"
