"""Where the commands' logs go: stderr, for people on a terminal and as JSON lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import structlog

from tickwright.model.errors import InvalidInput

_LEVELS = ("debug", "info", "warning", "error", "critical")
_TALKATIVE = ("alembic", "uvicorn", "asyncio", "aiosqlite")
_NAME = "tickwright"


class StderrHandler(logging.Handler):
    """Writes to whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def configure(level: str, *, only_problems: bool = False) -> None:
    """Log from `level` up; `only_problems` keeps one-off commands to warnings, but for debug."""
    if level.lower() not in _LEVELS:
        raise InvalidInput("logLevel", f"must be one of {', '.join(_LEVELS)}")
    lowest = logging.getLevelNamesMapping()[level.upper()]
    if only_problems and lowest > logging.DEBUG:
        lowest = max(lowest, logging.WARNING)
    root = logging.getLogger()
    for handler in [known for known in root.handlers if known.name == _NAME]:
        root.removeHandler(handler)
    root.addHandler(_handler())
    root.setLevel(lowest)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(lowest, logging.WARNING))


def _handler() -> logging.Handler:
    handler = StderrHandler()
    handler.name = _NAME
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered()],
        )
    )
    return handler


def _rendered() -> list[Any]:
    if sys.stderr.isatty():
        return [structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]
