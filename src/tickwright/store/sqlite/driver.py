"""aiosqlite connections that do not wait for ever for a thread that hangs in the disk.

Invariant: a connection that was given up is closed by its own thread, as soon as that goes on,
and so leaves no transaction open.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

import aiosqlite

T = TypeVar("T")
_ROWS_AT_ONCE = 64
_CLOSE_SECONDS = 3.0


class Driver(aiosqlite.Connection):
    """A connection each of whose calls has a deadline; it hangs once that is over."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], seconds: float | None) -> None:
        super().__init__(partial(self._opened, connector), _ROWS_AT_ONCE)
        self._thread.daemon = True
        self._seconds = seconds
        self.hangs = False

    def _opened(self, connector: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        connection = connector()
        if self.hangs:
            connection.close()
            raise _no_answer()
        return connection

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Inside the block calls may take that long, if there is a deadline at all."""
        usual = self._seconds
        self._seconds = usual and seconds
        try:
            yield
        finally:
            self._seconds = usual

    async def _connect(self) -> aiosqlite.Connection:
        return await self._in_time(super()._connect())

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.hangs:
            raise _no_answer()
        call = super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        return await self._in_time(call)

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._seconds):
                return await call
        except TimeoutError:
            self._give_up()
            raise _no_answer() from None

    def _give_up(self) -> None:
        self.hangs = True
        if self._connection is not None:
            # What only computes can be stopped; what waits for the disk cannot.
            self._connection.interrupt()

    async def close(self) -> None:
        """Close; a thread that hangs does it by itself later."""
        if not self._running:
            return
        closed = self.stop()
        if closed is None or self.hangs:
            return
        await asyncio.wait({closed}, timeout=_CLOSE_SECONDS)
        if not closed.done():
            self._give_up()


class Drivers:
    """Makes the connections of one pool, and no more while as many hang as it may have."""

    def __init__(self, most: int, seconds: float | None, pragmas: Sequence[str]) -> None:
        self._most = most
        self._seconds = seconds
        self._pragmas = pragmas
        self._made: WeakSet[Driver] = WeakSet()

    def connect(self, *args: Any, **options: Any) -> Driver:
        if sum(made.hangs and made.alive for made in self._made) >= self._most:
            raise _no_answer()
        made = Driver(partial(self._open, *args, **options), self._seconds)
        self._made.add(made)
        return made

    def _open(self, *args: Any, **options: Any) -> sqlite3.Connection:
        # Transactions are begun by our own statements: the driver's implicit BEGIN is deferred,
        # and a deferred transaction that later writes fails with "locked" instead of waiting.
        options |= {"isolation_level": None}
        connection: sqlite3.Connection = sqlite3.connect(*args, **options)
        try:
            for pragma in self._pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection


def _no_answer() -> sqlite3.OperationalError:
    # SQLAlchemy knows by these words that the connection is not to be used again.
    return sqlite3.OperationalError("connection closed: no answer from the disk in time")
