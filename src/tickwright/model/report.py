"""What a run tells while it runs: progress, items, log lines, and that it is alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from tickwright.model.run import Items, Progress, Run

MAX_LINES = 500
MAX_LOG_BYTES = 64 * 1024
MAX_LINE_BYTES = 4 * 1024
MAX_MESSAGE_BYTES = 1024
MAX_LOGGER_BYTES = 200


class Level(StrEnum):
    """How much a log line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One thing a run said; `seq` grows over all its attempts, with gaps.

    `logger` is the name of the logger that it came from, if it came from one.
    """

    seq: int
    attempt: int
    at: datetime
    level: Level
    text: str
    logger: str | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in their order, and how many others of the run were let go of."""

    lines: list[LogLine]
    dropped: int


@dataclass(frozen=True, slots=True)
class RunUpdate:
    """One thing that a followed run told; following it again `after` goes on behind it."""

    kind: Literal["status", "progress", "log", "end"]
    run: Run
    after: int
    line: LogLine | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that one attempt has told, and of its log what is not stored yet.

    `attempt` and `lease_token` are the fence. Of the attempt's lines only those from `keep_from`
    on are to stay, where that is set.
    """

    run_id: UUID
    attempt: int
    lease_token: int
    version: int
    progress: Progress | None
    items: Items | None
    dropped: int
    lines: tuple[LogLine, ...]
    keep_from: int | None


class Listener(Protocol):
    """To whom the work of one attempt tells how it goes.

    May be called from any thread and returns at once. What is told is storable and within its
    bounds already; what comes after the attempt has ended is not heard.
    """

    def begin(self) -> None:
        """From now on silence counts."""
        ...

    def heartbeat(self) -> None: ...

    def progress(self, done: float, total: float | None, message: str | None) -> None: ...

    def items(self, processed: int | None, succeeded: int | None, failed: int | None) -> None:
        """None leaves a count as it is."""
        ...

    def log(self, level: Level, text: str, logger: str | None = None) -> None: ...
