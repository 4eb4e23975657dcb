"""The clock contract: everything that decides takes `now`, and this is where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time that decisions are made by.

    PostgreSQL's own clock where several machines must agree, the system's for SQLite, a fake
    one in tests. Waiting never uses it: loops sleep on the monotonic clock.
    """

    async def now(self) -> datetime:
        """The present moment, aware and in UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    async def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place that may
