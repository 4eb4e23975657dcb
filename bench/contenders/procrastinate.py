"""Procrastinate: jobs with a due time, and its own periodic task for one firing a second.

In its favour: a hundred jobs at once, and a look at the database twenty times a second instead of
every five seconds, without which a job that was scheduled is up to five seconds late. Only where
idling is measured its defaults hold. Jobs are loaded in batches. It keeps ended jobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from procrastinate import App, PsycopgConnector

from bench.contenders.base import Handler, OneShots, beside, utc
from bench.place import Place

CONCURRENCY = 100
POLL_SECONDS = 0.05
CHUNK = 1000


class Procrastinate(OneShots):
    """One worker."""

    package = "import procrastinate"
    imports = "from procrastinate import App, PsycopgConnector"
    loads_per_second = 700
    share = 0.1

    def __init__(self, name: str, place: Place, handler: Handler) -> None:
        super().__init__(name, place, handler)
        self._app: Any = App(connector=PsycopgConnector(conninfo=place.url, max_size=10))
        self._open = False

        async def work(due: float | None) -> None:
            await handler(due)

        self._task: Any = self._app.task(name="bench")(work)

    async def install(self) -> None:
        await self._opened()
        await self._app.schema_manager.apply_schema_async()

    async def close(self) -> None:
        if self._open:
            await self._app.close_async()

    async def load(self, dues: list[float | None]) -> None:
        await self._opened()
        for start in range(0, len(dues), CHUNK):
            jobs = [self._job(due) for due in dues[start : start + CHUNK]]
            await self._app.job_manager.batch_defer_jobs_async(jobs=jobs)
        await self._analyze()

    async def ticking(self, first: float, seconds: int) -> None:
        async def tick(timestamp: int) -> None:
            await self.handler(float(timestamp))

        self._app.periodic(cron="* * * * * *")(self._app.task(name="tick")(tick))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        await self._opened()
        polling = {} if self.patient else {"fetch_job_polling_interval": POLL_SECONDS}
        worker = self._app.run_worker_async(
            concurrency=CONCURRENCY, install_signal_handlers=False, **polling
        )
        async with beside(worker):
            yield

    async def unfinished(self) -> int:
        connection = await asyncpg.connect(self.place.url)
        try:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                    " AND (scheduled_at IS NULL OR scheduled_at <= now())"
                )
            )
        finally:
            await connection.close()

    def _job(self, due: float | None) -> Any:
        options = {} if due is None else {"schedule_at": utc(due)}
        return self._task.configure(**options).make_new_job(due=due)

    async def _opened(self) -> None:
        if not self._open:
            self._open = True
            await self._app.open_async()

    async def _analyze(self) -> None:
        connection = await asyncpg.connect(self.place.url)
        try:
            await connection.execute("VACUUM (ANALYZE) procrastinate_jobs")
        finally:
            await connection.close()
