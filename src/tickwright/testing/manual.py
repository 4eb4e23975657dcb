"""A scheduler whose time and duties are method calls: no waiting, no background work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Self

from tickwright.bootstrap import Scheduler
from tickwright.testing.clock import FakeClock

DEFAULT_START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class ManualScheduler(Scheduler):
    """`Scheduler` on a `FakeClock`; nothing happens until `tick` or `advance` is called.

    Handlers really run, on a real database (SQLite in memory unless told otherwise):

        async with ManualScheduler() as scheduler:
            scheduler.register_handler("report", report)
            await scheduler.create_schedule(tenant("acme"), "report", cron("0 9 * * *"))
            await scheduler.advance(timedelta(days=7))
    """

    def __init__(
        self,
        database_url: str = "sqlite://",
        *,
        start: datetime = DEFAULT_START,
        clock: FakeClock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or FakeClock(start)
        settings.setdefault("auto_migrate", True)
        super().__init__(database_url, clock=self.clock, **settings)

    async def start(self) -> None:
        """Open the database and register as a worker; no loop runs."""
        await self.open()
        await self._runtime.register()

    async def stop(self) -> None:
        await self._runtime.close_targets()
        await self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def tick(self) -> None:
        """One round of every duty at the present moment; what starts is waited for."""
        self._runtime.serve()
        await self._runtime.tick()

    async def advance(self, by: timedelta) -> None:
        """Move time forward, stopping to tick at every instant at which something is due."""
        until = await self.clock.now() + by
        while (due := await self._store.firing.next_due()) is not None and due <= until:
            self.clock.move_to(max(due, await self.clock.now()))
            await self.tick()
        self.clock.move_to(until)
        await self.tick()

    async def crash_worker(self) -> None:
        """Vanish as a killed process does: what it held stays in the database, unfinished.

        From then on this is another worker, which takes over when the lease of the first is over.
        """
        await self._runtime.crash()
