"""The `init` command: a new root whose files explain every option.

The text comes from the option models, so a default and its description are written once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from flows.configuration.choices import Choice
from flows.configuration.recipes import RecipeFile
from flows.configuration.settings import Layout, Settings
from stages.errors import ConfigError

HEAD = """\
# {title}
# Every option stands here with its default. To change one, remove the "# " before it and before
# the sections that it lies in, and run `markwatch check`.
"""
LOCAL = """\
# Copy to local.yaml for what holds on this machine alone; local.yaml is laid over markwatch.yaml.
# Passwords never stand in these files: name a file here, or set MARKWATCH__SINKS__MQTT__PASSWORD.
# sinks:
#   mqtt:
#     host: broker.plant.example
#     username: markwatch
#     password_file: /etc/markwatch/mqtt-password
"""


def init(directory: Path) -> None:
    """Make the folders and the commented files of a new root.

    Raises:
        ConfigError: there is a `conf/` already, or the folder cannot be written.
    """
    layout = Layout(directory)
    if layout.conf.exists():
        raise ConfigError(f"{directory} already has a conf/ folder; choose another directory")
    try:
        layout.recipes.mkdir(parents=True)
        (layout.root / "data" / "inbox").mkdir(parents=True, exist_ok=True)
        texts = {
            layout.conf / "markwatch.yaml": commented("The site.", Settings()),
            layout.conf / "local.example.yaml": LOCAL,
            layout.recipes / "default.yaml": commented(
                "The recipe of every camera that has none of its own (recipes/<camera>.yaml).",
                RecipeFile(),
            ),
        }
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot make {directory}: {error.strerror}") from error


def commented(title: str, model: BaseModel) -> str:
    """A YAML file in which every option is a comment with its description and default."""
    lines = [HEAD.format(title=title)]
    for name, info in type(model).model_fields.items():
        lines.append(f"## {info.description}")
        lines.extend("# " + line for line in _entry(name, getattr(model, name)))
        lines.append("")
    return "\n".join(lines)


def _entry(name: str, value: Any) -> list[str]:
    if isinstance(value, BaseModel):
        return [f"{name}:", *_indented(_body(value))]
    if isinstance(value, dict) and value:
        lines = [f"{name}:"]
        for key, item in value.items():
            lines.extend(_indented(_entry(key, item)))
        return lines
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        lines = [f"{name}:"]
        for item in value:
            body = _body(item)
            first = next(index for index, line in enumerate(body) if not line.startswith("#"))
            marked = [
                *body[:first],
                "- " + body[first],
                *("  " + line for line in body[first + 1 :]),
            ]
            lines.extend(_indented(marked))
        return lines
    return [f"{name}: {_scalar(value)}"]


def _body(model: BaseModel) -> list[str]:
    lines = []
    for name, info in type(model).model_fields.items():
        lines.append(f"# {info.description}")
        lines.extend(_entry(name, getattr(model, name)))
    if isinstance(model, Choice):
        lines.extend(_body(model.options))
    return lines


def _indented(lines: list[str]) -> list[str]:
    return ["  " + line for line in lines]


def _scalar(value: Any) -> str:
    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, tuple | list | frozenset | set):
        return json.dumps(list(value), ensure_ascii=False, default=str)
    return yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n")[0]
