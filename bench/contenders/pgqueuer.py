"""PgQueuer: jobs with a due time, and its own schedule for one firing a second.

In its favour: batches of 500 instead of 10, and a pool of connections, so that endings are
written while it dequeues. Ended jobs leave the queue for its log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
from pgqueuer import PgQueuer, Queries

from bench.contenders.base import Handler, OneShots, utc
from bench.place import Place

BATCH = 500
CHUNK = 5000
_STOP_SECONDS = 5.0


class Pgqueuer(OneShots):
    """One process with queue and schedule manager."""

    package = "import pgqueuer"
    imports = "import asyncpg; from pgqueuer import PgQueuer, Queries"
    loads_per_second = 3_000

    def __init__(self, name: str, place: Place, handler: Handler) -> None:
        super().__init__(name, place, handler)
        self._pool: Any = None
        self._every_second = False

    async def install(self) -> None:
        connection = await asyncpg.connect(self.place.url)
        try:
            await Queries.from_asyncpg_connection(connection).install()
        finally:
            await connection.close()

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def herd(self, count: int, rules: int, due: float) -> None:
        await super().herd(count, rules, due)
        # It takes delays, which each batch counts from its own arrival: an instant they are not.
        pool = await self._opened()
        await pool.execute("UPDATE pgqueuer SET execute_after = $1", utc(due))
        await pool.execute("VACUUM (ANALYZE) pgqueuer")

    async def load(self, dues: list[float | None]) -> None:
        pool = await self._opened()
        queries = Queries.from_asyncpg_pool(pool)
        for start in range(0, len(dues), CHUNK):
            chunk, now = dues[start : start + CHUNK], time.time()
            await queries.enqueue(
                ["bench"] * len(chunk),
                [b"late" if due else None for due in chunk],
                [0] * len(chunk),
                [timedelta(seconds=due - now) if due else None for due in chunk],
            )
        await pool.execute("VACUUM (ANALYZE) pgqueuer")

    async def ticking(self, first: float, seconds: int) -> None:
        self._every_second = True

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        queuer: Any = PgQueuer.from_asyncpg_pool(await self._opened())

        async def work(job: Any) -> None:
            await self.handler(job.execute_after.timestamp() if job.payload else None)

        async def tick(schedule: Any) -> None:
            await self.handler(None)

        queuer.entrypoint("bench")(work)
        if self._every_second:
            queuer.schedule("tick", "* * * * * *")(tick)
            running = asyncio.create_task(queuer.run(batch_size=BATCH))
        else:
            running = asyncio.create_task(queuer.qm.run(batch_size=BATCH))
        try:
            yield
        finally:
            queuer.shutdown.set()
            await asyncio.wait([running], timeout=_STOP_SECONDS)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def unfinished(self) -> int:
        pool = await self._opened()
        return int(
            await pool.fetchval("SELECT count(*) FROM pgqueuer WHERE execute_after <= now()")
        )

    async def _opened(self) -> Any:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(self.place.url, min_size=1, max_size=5)
        return self._pool
