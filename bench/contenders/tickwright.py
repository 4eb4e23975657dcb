"""Tickwright itself: one process with its whole engine, and the service where readiness counts."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bench import fill
from bench.contenders.tables import OnOurTables

if TYPE_CHECKING:
    from tickwright import RunContext

SLOTS = 2000


class Tickwright(OnOurTables):
    """The engine as an application embeds it; all settings but `slots` are the defaults."""

    slots = SLOTS
    package = "import tickwright"
    imports = "from tickwright import Scheduler"

    def prepare(self) -> None:
        # Imported here because it costs what one that only loads need not pay.
        from tickwright import Scheduler

        os.environ["SINK_URL"] = self.place.sink_url
        scheduler = Scheduler(self.place.url, slots=self.slots)

        async def noop(tenant_id: str | None, payload: dict[str, Any]) -> None:
            await self.handler(None)

        async def lateness(tenant_id: str | None, payload: dict[str, Any], ctx: RunContext) -> None:
            await self.handler(ctx.nominal_at.timestamp())

        scheduler.register_handler(fill.JOB, noop)
        scheduler.register_handler(fill.LATENESS_JOB, lateness)
        self._scheduler = scheduler

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with self._scheduler:
            yield

    def ready_command(self) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", "0", "--database-url", self.place.url]
        return [sys.executable, "-m", "tickwright", "serve", *options]
