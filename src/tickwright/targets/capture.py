"""What a handler writes through `logging`, passed on to the run it works on.

Invariant: logging stays as the application set it up; a record is only listened in on, where it
is made, so it is heard whatever handlers there are, and only if its logger lets it through.
"""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar, Token
from typing import Any

from tickwright.model.report import MAX_LINE_BYTES, MAX_LOGGER_BYTES, Level, Listener
from tickwright.model.storable import storable_text

_WORKING_FOR: ContextVar[Listener | None] = ContextVar("tickwright_working_for", default=None)
_LEVELS = (
    (logging.CRITICAL, Level.CRITICAL),
    (logging.ERROR, Level.ERROR),
    (logging.WARNING, Level.WARNING),
    (logging.INFO, Level.INFO),
)
_INSTALLING = threading.Lock()
_FORMATTER = logging.Formatter()


def begin(report: Listener | None) -> Token[Listener | None]:
    """From now on what is logged in this context, and in those copied from it, is told."""
    return _WORKING_FOR.set(report)


def end(token: Token[Listener | None]) -> None:
    _WORKING_FOR.reset(token)


class _Listening:
    """Makes the records that `make` makes, and tells those that handlers of runs cause."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, name: Any, *args: Any, **more: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(name, *args, **more)
        report = _WORKING_FOR.get()
        # Records that came from elsewhere are made without a name and filled in later.
        if report is not None and name is not None:
            _tell(report, record)
        return record


def install() -> None:
    """Listen in on records from now on, once per process."""
    with _INSTALLING:
        make = logging.getLogRecordFactory()
        if not _is_heard(make):
            logging.setLogRecordFactory(_Listening(make))


class _Probe:
    """Hears whether anything is heard at all: others may have wrapped what listens."""

    def __init__(self) -> None:
        self.heard = False

    def log(self, *_: object) -> None:
        self.heard = True


def _is_heard(make: Any) -> bool:
    probe: Any = _Probe()
    token = begin(probe)
    try:
        make(__name__, logging.DEBUG, "", 0, "", (), None)
    finally:
        end(token)
    return bool(probe.heard)


def _tell(report: Listener, record: logging.LogRecord) -> None:
    level = next((ours for least, ours in _LEVELS if record.levelno >= least), Level.DEBUG)
    text = storable_text(_text(record), MAX_LINE_BYTES)
    report.log(level, text, storable_text(record.name, MAX_LOGGER_BYTES))


def _text(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text = f"{text}\n{_FORMATTER.formatException(record.exc_info)}"
    # A call of the logging module never raises, whatever it was given.
    except Exception as error:
        return f"a record that cannot be written: {type(error).__name__}"
    return text
