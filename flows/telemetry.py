"""Structured log lines: one event a line, human on a terminal and JSON otherwise.

Everything logs through structlog under a name that begins with `markwatch`; the log goes to
standard error, so that a command's standard output stays its own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import structlog

from flows.files.filenames import shown

if TYPE_CHECKING:
    from flows.configuration.settings import LogOptions


def configure(options: LogOptions) -> None:
    """Set up logging for this process; called once by a command, never by a stage."""
    human = options.style == "human" or (options.style == "auto" and sys.stderr.isatty())
    renderer = (
        # Not rich's tracebacks: they show the values of local variables, passwords among them.
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if human
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    finish = [structlog.processors.format_exc_info] if not human else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *finish,
            _shown,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, options.level.upper())
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_Shown("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # `python_multipart` tells of every form that is none, so that anybody could fill the log.
    multipart = "python_multipart"
    for name in ("distributed", "tornado", "asyncio", "amqtt", "transitions", "bokeh", multipart):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _shown(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what would steer a terminal: names, texts and errors come from outside."""
    return dict(shown(event))


class _Shown(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return str(shown(super().format(record)))
