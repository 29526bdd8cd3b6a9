"""One value set in the text of a YAML file: comments, order and everything else stay as they are.

The edit is made where the parser says that the value stands, and proven by reading the result: it
must differ from the file in that value alone.
"""

from __future__ import annotations

from typing import Any

import yaml

from flows.configuration.yamlfile import Loc
from stages.errors import ConfigError


def with_number(text: str, loc: Loc, number: float) -> str:
    """The text with the number at `loc`, whose parent must be a mapping that is there.

    Raises:
        ConfigError: the file is written in a way that cannot be changed in one place.
    """
    written = yaml.safe_dump(number).splitlines()[0]
    *parents, key = loc
    refusal = ConfigError(
        f"the file is written in a way that cannot be edited; set {key}: {written}"
    )
    try:
        parent = _node(yaml.compose(text, Loader=yaml.SafeLoader), parents)
        if not isinstance(parent, yaml.MappingNode) or not parent.value:
            raise refusal
        value = next((each for name, each in parent.value if name.value == key), None)
        if value is not None:
            begin, end = value.start_mark.index, value.end_mark.index
            edited = text[:begin] + written + text[end:]
        else:
            edited = _inserted(text, parent, f"{key}: {written}")
        before, after = _copied(yaml.safe_load(text)), _copied(yaml.safe_load(edited))
    except (yaml.YAMLError, LookupError) as error:
        raise refusal from error
    own = _at(after, parents)
    if own.get(key) != number:
        raise refusal
    old = _at(before, parents)
    if key in old:
        own[key] = old[key]
    else:
        del own[key]
    if after != before:
        raise refusal
    return edited


def _inserted(text: str, parent: yaml.MappingNode, entry: str) -> str:
    """The text with an entry after the mapping's last one."""
    key, value = parent.value[-1]
    if parent.flow_style:
        end = value.end_mark.index
        return f"{text[:end]}, {entry}{text[end:]}"
    # A block's end mark lies where the next token begins, so the last value's own lines count.
    last = last_line(value)
    lines = text.splitlines(keepends=True)
    line_end = "\r\n" if lines[last].endswith("\r\n") else "\n"
    if not lines[last].endswith(("\n", "\r")):
        lines[last] += line_end
    indent = " " * key.start_mark.column
    lines.insert(last + 1, f"{indent}{entry}{line_end}")
    return "".join(lines)


def last_line(node: yaml.Node) -> int:
    """The line, from 0, on which a node's last word stands."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return last_line(node.value[-1])
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return node.end_mark.line - 1
    return node.end_mark.line


def _node(node: yaml.Node | None, path: list[str | int]) -> yaml.Node | None:
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        else:
            return None
    return node


def _copied(values: Any) -> Any:
    """The same with an object of its own wherever an alias stands."""
    if isinstance(values, dict):
        return {key: _copied(value) for key, value in values.items()}
    return [_copied(value) for value in values] if isinstance(values, list) else values


def _at(values: Any, path: list[str | int]) -> Any:
    for part in path:
        values = values[part]
    return values
