"""A markwatch command run in this process: its words and status as a terminal has them."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from typer.testing import CliRunner

from flows.cli import app
from stages.errors import MarkwatchError


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def invoke(*arguments: str) -> Done:
    """Run a command to its end; an error that is not a known one is raised."""
    try:
        result = CliRunner().invoke(app, arguments)
    finally:
        structlog.reset_defaults()
    if isinstance(result.exception, MarkwatchError):
        return Done(result.exception.exit_code, result.stdout, f"{result.stderr}{result.exception}")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)
