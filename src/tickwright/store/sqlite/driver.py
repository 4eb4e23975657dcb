"""aiosqlite connections that do not wait for ever for a thread that hangs in the disk.

Invariant: a connection that was given up is closed by its own thread, as soon as that goes on,
and so leaves no transaction open.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Self
from weakref import WeakSet

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL

_ROWS_AT_ONCE = 64
_CLOSE_SECONDS = 3.0


class _Reply:
    """Takes what the thread found to the loop that asked, if that still runs.

    A thread that stumbled over a closed loop would end with its transaction open, and keep all
    others from writing.
    """

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def get_loop(self) -> Self:
        return self

    def call_soon_threadsafe(self, settle: Callable[..., None], _: object, found: object) -> None:
        with suppress(RuntimeError):
            self._future.get_loop().call_soon_threadsafe(settle, self._future, found)


class Driver(aiosqlite.Connection):
    """A connection each of whose calls has a deadline; it hangs once that is over."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], seconds: float | None) -> None:
        super().__init__(partial(self._opened, connector), _ROWS_AT_ONCE)
        self._thread.daemon = True
        self._seconds = seconds
        self.hangs = False

    def _opened(self, connector: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
        # Kept by the thread: whoever waits for it may be gone, and it is closed all the same.
        self._connection = connector()
        return self._connection

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

    async def _connect(self) -> Self:
        try:
            await self._ask(self._connector)
        except BaseException:
            self.stop()
            raise
        return self

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.hangs:
            raise _no_answer()
        if not self._running:
            raise sqlite3.ProgrammingError("the connection is closed")
        return await self._ask(partial(fn, *args, **kwargs))

    async def _ask(self, function: Callable[[], Any]) -> Any:
        """What the thread answers within the deadline."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        reply: Any = _Reply(future)
        self._tx.put_nowait((reply, function))
        try:
            async with asyncio.timeout(self._seconds):
                return await future
        except TimeoutError:
            self._give_up()
            raise _no_answer() from None

    def _give_up(self) -> None:
        self.hangs = True
        if self._connection is not None:
            # What only computes can be stopped; what waits for the disk cannot.
            self._connection.interrupt()

    def stop(self) -> None:
        """Let the thread close the connection and end, however long the loop lives."""
        self._running = False
        self._tx.put_nowait((None, self._end))

    def _end(self) -> object:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return _STOP_RUNNING_SENTINEL

    async def close(self) -> None:
        """Close; a thread that hangs does it by itself later."""
        if not self._running:
            return
        self.stop()
        if self.hangs:
            return
        await asyncio.to_thread(self._thread.join, _CLOSE_SECONDS)
        if self.alive:
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
