"""APScheduler 3: AsyncIOScheduler with its SQLAlchemy job store, recurring jobs.

In its favour: late firings are kept (`misfire_grace_time=None`; by default it drops what is a
second late) and coalesced, any number of instances may run, jobs are loaded in one transaction
instead of one each, SQLite is in write-ahead log with `synchronous = NORMAL`. It keeps no
history.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bench.contenders.base import Contender, Handler, utc
from bench.place import POSTGRES, Place

_INSTANCES = 1000
_handler: list[Handler] = []


async def work(first: float | None, interval: float) -> None:
    """What the jobs name; the latest turn of an interval is the one that is due."""
    due = first
    if first is not None and interval:
        due = first + math.floor((time.time() - first) / interval) * interval
    await _handler[0](due)


class Apscheduler(Contender):
    """One scheduler with one job store."""

    package = "import apscheduler"
    imports = (
        "from apscheduler.schedulers.asyncio import AsyncIOScheduler; "
        "from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore"
    )
    loads_per_second = 2_000

    def __init__(self, name: str, place: Place, handler: Handler) -> None:
        super().__init__(name, place, handler)
        _handler[:] = [handler]
        driver = "postgresql+psycopg" if place.dialect == POSTGRES else "sqlite"
        self._engine = sa.create_engine(sa.make_url(place.url).set(drivername=driver))
        if place.dialect != POSTGRES:
            sa.event.listen(self._engine, "connect", _configure)
        self._store: Any = SQLAlchemyJobStore(engine=self._engine)
        self._scheduler: Any = AsyncIOScheduler(
            jobstores={"default": self._store},
            timezone="UTC",
            job_defaults={
                "misfire_grace_time": None,
                "coalesce": True,
                "max_instances": _INSTANCES,
            },
        )

    async def install(self) -> None:
        self._store.jobs_t.create(self._engine, True)

    async def herd(self, count: int, rules: int, due: float) -> None:
        at = utc(due)
        triggers = [
            CronTrigger(
                second=at.second, minute=at.minute, hour=at.hour, day=_days(n), timezone="UTC"
            )
            for n in range(rules)
        ]
        self._load((triggers[n % rules], due, (due, 0.0)) for n in range(count))

    async def backlog(self, count: int) -> None:
        past = time.time() - 1
        self._load((DateTrigger(utc(past)), past, (None, 0.0)) for _ in range(count))

    async def ticking(self, first: float, seconds: int) -> None:
        self._load([(CronTrigger(second="*", timezone="UTC"), first, (None, 0.0))])

    async def spread(self, count: int, per_second: int, first: float, seconds: int) -> None:
        self._load(self._spread(count, per_second, first))

    async def asleep(self, count: int, due: float) -> None:
        trigger = IntervalTrigger(days=1, start_date=utc(due), timezone="UTC")
        self._load((trigger, due, (None, 0.0)) for _ in range(count))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        self._scheduler.start()
        try:
            yield
        finally:
            self._scheduler.shutdown(wait=False)

    async def unfinished(self) -> int:
        jobs = self._store.jobs_t
        late = sa.select(sa.func.count()).where(jobs.c.next_run_time <= time.time())
        with self._engine.connect() as connection:
            return int(connection.execute(late).scalar_one())

    def _spread(self, count: int, per_second: int, first: float) -> Iterator[_Planned]:
        interval = count // per_second
        for n in range(count):
            due = first + n / per_second
            trigger = IntervalTrigger(seconds=interval, start_date=utc(due), timezone="UTC")
            yield trigger, due, (due, float(interval))

    def _load(self, planned: Iterable[_Planned]) -> None:
        rows = [self._row(n, *one) for n, one in enumerate(planned)]
        with self._engine.begin() as connection:
            connection.execute(self._store.jobs_t.insert(), rows)

    def _row(self, n: int, trigger: Any, due: float, args: tuple[Any, ...]) -> dict[str, Any]:
        job = Job(
            self._scheduler,
            id=f"bench-{n}",
            func=f"{__name__}:work",
            args=args,
            kwargs={},
            name="bench",
            trigger=trigger,
            executor="default",
            misfire_grace_time=None,
            coalesce=True,
            max_instances=_INSTANCES,
            next_run_time=utc(due),
        )
        state = pickle.dumps(job.__getstate__(), pickle.HIGHEST_PROTOCOL)
        return {"id": job.id, "next_run_time": due, "job_state": state}


_Planned = tuple[Any, float, tuple[Any, ...]]


def _days(n: int) -> str:
    """The n-th of many lists of days that hold every day of a month, written differently."""
    return ",".join(str(d) if n >> (d - 1) & 1 else f"{d}-{d}" for d in range(1, 32))


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
