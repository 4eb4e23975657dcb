"""The connection contract the shared queries are written against."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from tickwright.store.schema import Tables


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): ids sort by the time they were made."""
    return uuid7()


class Database(Protocol):
    """One database, seen through SQLAlchemy for composed statements and raw for the hot ones.

    Every context manager turns the driver's connection errors into StoreUnavailable, and so it
    does when there is no answer in time. Every writing one is one transaction that commits when
    its block ends without an error; whether it did is unknown when that ends in StoreUnavailable.
    """

    tables: Tables
    dialect: str

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def write(
        self, connection: AsyncConnection | None = None
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction of our own, or the caller's, which the caller commits."""
        ...

    def migration(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is given the time that changing large tables takes."""
        ...

    def hot(self, *, in_order: bool = False) -> AbstractAsyncContextManager[Any]:
        """A transaction on the bare driver connection, for the dialect's own statements.

        With `in_order` they ask for the first of many in an order that an index has.
        """
        ...

    def glance(self) -> AbstractAsyncContextManager[Any]:
        """The same for one statement that only reads, and so need not wait for who writes."""
        ...

    async def notify(self, connection: AsyncConnection, topic: str) -> None:
        """Tell the other processes, when this transaction commits."""
        ...


class Statements(Protocol):
    """The hot statements of one dialect; `c` is what `Database.hot` yields.

    Rows come back as mappings whose values are already Python's: aware datetimes, UUIDs, JSON
    as text. Bulk arguments are sequences of records in the order the statement names.
    """

    async def due(self, c: Any, now: datetime, limit: int) -> list[Any]: ...

    async def open_runs(self, c: Any, ids: list[UUID]) -> list[Any]:
        """`schedule_id`, `active` and `waiting` of those that have an open run."""
        ...

    async def make_way(self, c: Any, ids: list[UUID], now: datetime) -> list[Any]:
        """Cancel their queued runs and ask the others to stop; `schedule_id`, `status` of each."""
        ...

    async def may_claim(self, c: Any, worker_id: UUID, now: datetime) -> bool: ...

    async def insert_runs(self, c: Any, rows: list[tuple[Any, ...]]) -> set[UUID]: ...

    async def advance(self, c: Any, rows: list[tuple[Any, ...]]) -> None: ...

    async def complete(self, c: Any, ids: list[UUID] | None, now: datetime) -> None: ...

    async def next_due(self, c: Any) -> datetime | None: ...

    async def lift(self, c: Any, now: datetime) -> int: ...

    async def take(self, c: Any, lane: str, offer: Any, now: datetime) -> list[Any]: ...

    async def limited(self, c: Any, after: Sequence[str], most: int) -> list[Any]:
        """Groups of runs that wait for a limit, in order, from after the one named.

        `scope_key`, `job_key`, `limit_key`, `queue`, `handler` (empty for none) and `policy`.
        """
        ...

    async def lock_limits(self, c: Any, names: list[int]) -> None:
        """Wait for whoever else admits runs to these limits; names in ascending order."""
        ...

    async def count_running(self, c: Any, rows: list[tuple[Any, ...]]) -> list[int]: ...

    async def rates(self, c: Any, rows: list[tuple[Any, ...]]) -> list[Any]: ...

    async def spend(self, c: Any, rows: list[tuple[Any, ...]]) -> None: ...

    async def waiting(self, c: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        """`id`, `priority`, `run_at` and the `place` (from 1) of the row that asked for it."""
        ...

    async def admit(self, c: Any, ids: list[UUID]) -> None: ...

    async def hold_back(self, c: Any, rows: list[tuple[Any, ...]]) -> None: ...

    async def mark_started(self, c: Any, rows: list[tuple[Any, ...]]) -> int: ...

    async def finish(self, c: Any, rows: list[tuple[Any, ...]]) -> dict[UUID, tuple[int, str]]:
        """Of each run that ended the lease token it ended under, and its status."""
        ...

    async def ended_schedules(self, c: Any, ids: list[UUID]) -> dict[UUID, str]:
        """Which of these are cancelled or deleted, and why their runs end; all stay locked."""
        ...

    async def supersede(self, c: Any, rows: list[tuple[Any, ...]]) -> None: ...

    async def count_stats(self, c: Any, rows: list[tuple[Any, ...]]) -> None: ...

    async def trip(self, c: Any, rows: list[tuple[Any, ...]], now: datetime) -> None:
        """Mark the schedules whose automatic runs have failed so often in a row."""
        ...

    async def count_days(self, c: Any, rows: list[tuple[Any, ...]]) -> None: ...

    async def held(self, c: Any, worker_id: UUID) -> list[Any]: ...

    async def orphans(self, c: Any, now: datetime, limit: int) -> list[Any]: ...

    async def notify(self, c: Any, topic: str) -> None: ...
