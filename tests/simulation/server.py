"""The database server of a simulated system: SQLite in memory, one writer at a time.

Invariant: a transaction takes effect as a whole or not at all, also when its process dies, and
the journal holds every row change of every committed transaction and no other.
"""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from itertools import islice
from random import Random
from typing import Any

import sqlalchemy as sa

from tests.simulation.loop import Lane, VirtualLoop
from tickwright.model.errors import StoreUnavailable
from tickwright.store.schema import SQLITE_PREFIX, Tables

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
WATCHED = (
    "runs",
    "schedules",
    "schedule_cursors",
    "schedule_stats",
    "run_days",
    "workers",
    "changes",
    "attempts",
)
TABLES = Tables("sqlite")
Row = dict[str, Any]
_BUSY_SECONDS = 10.0
_CALL_SECONDS = 12.0
_IDLE_SHARE = 0.55
_FAIR_SHARE = 0.8


class Weather(Enum):
    """How the way to the database is."""

    FINE = "fine"
    REFUSING = "refusing"
    HANGING = "hanging"


@dataclass(slots=True)
class Written:
    """One change of one row, with the process that made it and the moment (virtual seconds)."""

    seq: int
    at: float
    transaction: int
    process: str
    table: str
    old: Row | None
    new: Row | None


class _Fetched(sqlite3.Cursor):
    """Fetches at once, as a driver over a network does: a dead reader holds up no commit."""

    def execute(self, sql: str, parameters: Any = ()) -> _Fetched:
        super().execute(sql, parameters)
        self._rows: Iterator[Any] = iter(super().fetchall() if self.description else ())
        return self

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return list(islice(self._rows, size or self.arraysize))


class _Raw(sqlite3.Connection):
    def cursor(self, factory: Any = _Fetched) -> Any:
        return super().cursor(factory)


class Transaction:
    """One transaction of one process, from the moment it asks to begin."""

    __slots__ = ("aborted", "granted", "lane", "number", "topics", "written")

    def __init__(self, lane: Lane, number: int) -> None:
        self.lane = lane
        self.number = number
        self.granted: asyncio.Future[None] = asyncio.Future()
        self.written: list[Written] = []
        self.topics: list[str] = []
        self.aborted = False

    @property
    def waits(self) -> bool:
        """Whether nobody has given it the lock, or given up waiting for it."""
        return not self.granted.done()


class Server:
    """Grants the one write lock in virtual time, keeps the journal, tells who listens."""

    def __init__(self, loop: VirtualLoop, random: Random, mean_delay: float) -> None:
        self.loop = loop
        self.weather = Weather.FINE
        self.mean_delay = mean_delay
        self.journal: list[Written] = []
        self.trace: list[tuple[Any, ...]] = []
        self.deaf = 0.0
        self.slowness = 1.0
        self._random = random
        self._holder: Transaction | None = None
        self._queue: list[Transaction] = []
        self._hanging: list[asyncio.Future[None]] = []
        self._listeners: dict[Lane, tuple[contextvars.Context, Callable[[str], None]]] = {}
        self._numbers = 0
        self._seq = 0
        self.raw = sqlite3.connect(
            ":memory:", isolation_level=None, cached_statements=512, factory=_Raw
        )
        self.raw.deserialize(_template())
        self.raw.create_function("witness", -1, self._witness)
        self.composed = _composing(self.raw)

    def close(self) -> None:
        self.composed.close()

    @property
    def now(self) -> datetime:
        """The database's clock, by which all processes agree."""
        return START + timedelta(seconds=self.loop.time())

    def delay(self) -> float:
        """How long one way to the database or back takes; often nothing worth a wait."""
        if self._random.random() < _IDLE_SHARE:
            return 0.0
        return self._random.expovariate(1.0 / (self.mean_delay * self.slowness))

    # Transactions

    async def begin(self, lane: Lane) -> Transaction:
        """The write lock, in turn; StoreUnavailable when it does not come in time."""
        self._numbers += 1
        asking = Transaction(lane, self._numbers)
        if self._holder is not None:
            await self._in_turn(asking)
        self._holder = asking
        self.raw.execute("BEGIN IMMEDIATE")
        return asking

    async def _in_turn(self, asking: Transaction) -> None:
        self._queue.append(asking)
        patience = self.loop.call_later(_BUSY_SECONDS, self._refuse, asking)
        try:
            await asking.granted
        except BaseException:
            if asking in self._queue:
                self._queue.remove(asking)
            elif self._holder is asking:
                self._pass_on()
            raise
        finally:
            patience.cancel()

    def _refuse(self, asking: Transaction) -> None:
        if asking in self._queue and asking.waits:
            self._queue.remove(asking)
            asking.granted.set_exception(StoreUnavailable("the database is locked"))

    def commit(self, transaction: Transaction) -> None:
        self.raw.execute("COMMIT")
        self.journal += transaction.written
        self._pass_on()
        for topic in dict.fromkeys(transaction.topics):
            self._tell(topic)

    def rollback(self, transaction: Transaction) -> None:
        """Undo it, if it is still under way."""
        transaction.aborted = True
        if self._holder is transaction:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            self._pass_on()

    def _pass_on(self) -> None:
        """The lock goes to somebody who is awake to take it."""
        self._holder = None
        awake = [each for each in self._queue if each.waits and not each.lane.frozen]
        if awake:
            # Nearly fair, as the lock of a file and that of a row are.
            fair = self._random.random() < _FAIR_SHARE
            taken = awake[0] if fair else awake[int(self._random.random() * len(awake))]
            self._holder = taken
            self._queue.remove(taken)
            taken.granted.set_result(None)

    def thawed(self) -> None:
        """Somebody can take the lock again."""
        if self._holder is None:
            self._pass_on()

    # Processes

    def listen(self, lane: Lane, wake: Callable[[str], None]) -> None:
        self._listeners[lane] = (contextvars.copy_context(), wake)

    def abandon(self, lane: Lane) -> None:
        """The process is gone: nothing of it stays but what it had committed."""
        self._listeners.pop(lane, None)
        self._queue = [each for each in self._queue if each.lane is not lane]
        if self._holder is not None and self._holder.lane is lane:
            self.rollback(self._holder)

    def _tell(self, topic: str) -> None:
        for lane, (context, wake) in self._listeners.items():
            if lane.dead or self._random.random() < self.deaf:
                continue
            when = self.loop.time() + self.delay()
            self.loop.call_at(when, wake, topic, context=context)

    # Faults

    def go_away(self, weather: Weather) -> None:
        """Nobody reaches the database until `come_back`; what was under way is undone."""
        self.weather = weather
        self.terminate()
        for asking in list(self._queue):
            self._refuse(asking)

    def come_back(self) -> None:
        self.weather = Weather.FINE
        hanging, self._hanging = self._hanging, []
        for future in hanging:
            if not future.done():
                future.set_result(None)

    def terminate(self) -> None:
        """End the transaction that is under way, as an operator does with a backend."""
        if self._holder is not None and self.raw.in_transaction:
            self.rollback(self._holder)

    async def reached(self) -> None:
        """StoreUnavailable unless the database can be reached; hanging takes its time."""
        if self.weather is Weather.FINE:
            return
        if self.weather is Weather.HANGING:
            future: asyncio.Future[None] = self.loop.create_future()
            self._hanging.append(future)
            await asyncio.wait({future}, timeout=_CALL_SECONDS)
        raise StoreUnavailable("the database is away")

    # The journal

    def _witness(self, table: str, *values: Any) -> None:
        names = _COLUMNS[table[1:]]
        kind, table = table[0], table[1:]
        old: Row | None = None
        new: Row | None = None
        if kind == "U":
            old, new = (
                dict(zip(names, values, strict=False)),
                dict(zip(names, values[len(names) :], strict=True)),
            )
        elif kind == "I":
            new = dict(zip(names, values, strict=True))
        else:
            old = dict(zip(names, values, strict=True))
        self._seq += 1
        holder = self._holder
        assert holder is not None
        holder.written.append(
            Written(self._seq, self.loop.time(), holder.number, holder.lane.name, table, old, new)
        )

    def rows(self) -> dict[str, list[Row]]:
        """Every row of every table."""
        return {name: list(self._rows(table)) for name, table in BY_NAME.items()}

    def _rows(self, table: sa.Table) -> Iterator[Row]:
        cursor = self.raw.execute(f"SELECT * FROM {table.name}")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))


BY_NAME = {t.name.removeprefix(SQLITE_PREFIX): t for t in TABLES.metadata.sorted_tables}
_COLUMNS = {name: tuple(BY_NAME[name].columns.keys()) for name in WATCHED}


@cache
def _template() -> bytes:
    """An empty database of the present schema whose every row change calls `witness`."""
    with closing(sqlite3.connect(":memory:")) as raw:
        engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=sa.StaticPool)
        TABLES.metadata.create_all(engine)
        for name in WATCHED:
            old, new = (", ".join(f'{side}."{c}"' for c in _COLUMNS[name]) for side in _SIDES)
            for event, values in (("INSERT", new), ("UPDATE", f"{old}, {new}"), ("DELETE", old)):
                raw.execute(
                    f"CREATE TRIGGER witness_{name}_{event} AFTER {event}"
                    f" ON {SQLITE_PREFIX}{name}"
                    f" BEGIN SELECT witness('{event[0]}{name}', {values}); END"
                )
        raw.commit()
        return raw.serialize()


_SIDES = ("OLD", "NEW")
_opening: list[sqlite3.Connection] = []


@cache
def _engine() -> sa.Engine:
    """One for all seeds, because it keeps the compiled statements."""
    return sa.create_engine("sqlite://", creator=lambda: _opening[-1], poolclass=sa.NullPool)


def _composing(raw: sqlite3.Connection) -> sa.Connection:
    """SQLAlchemy's view of the same connection; transactions are begun and ended on `raw`."""
    _opening.append(raw)
    try:
        return _engine().execution_options(isolation_level="AUTOCOMMIT").connect()
    finally:
        _opening.clear()
