"""BullMQ for Python, on Redis: delayed jobs, because this edition has no recurring ones.

In its favour: a hundred jobs at once, jobs loaded in pipelines, and a store that writes to disk
once a second instead of at each commit. It keeps ended jobs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bullmq import Queue, Worker

from bench.contenders.base import Handler, OneShots
from bench.place import Place

CONCURRENCY = 100
CHUNK = 1000


class Bullmq(OneShots):
    """One worker; its keys begin with the name of the place and are removed at the end."""

    package = "import bullmq"
    imports = "from bullmq import Queue, Worker"
    loads_per_second = 700
    share = 0.5

    def __init__(self, name: str, place: Place, handler: Handler) -> None:
        super().__init__(name, place, handler)
        self._options: Any = {"connection": place.redis_url, "prefix": place.prefix}
        self._queue: Any = None

    async def close(self) -> None:
        if self._queue is not None:
            await self._queue.close()

    async def load(self, dues: list[float | None]) -> None:
        queue = self._opened()
        for start in range(0, len(dues), CHUNK):
            await queue.addBulk([_job(due) for due in dues[start : start + CHUNK]])

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async def work(job: Any, token: str) -> None:
            await self.handler(job.data["due"])

        worker: Any = Worker("bench", work, {**self._options, "concurrency": CONCURRENCY})
        try:
            yield
        finally:
            await worker.close(force=True)

    async def unfinished(self) -> int:
        counts = await self._opened().getJobCounts("wait", "active")
        return sum(counts.values())

    async def store_seconds(self) -> dict[int, float]:
        used = await self._opened().client.info("cpu")
        return {0: float(used["used_cpu_user"] + used["used_cpu_sys"])}

    def _opened(self) -> Any:
        if self._queue is None:
            self._queue = Queue("bench", self._options)
        return self._queue


def _job(due: float | None) -> dict[str, Any]:
    now = round(time.time() * 1000)
    delay = 0 if due is None else max(0, round(due * 1000) - now)
    return {"name": "bench", "data": {"due": due}, "opts": {"timestamp": now, "delay": delay}}
