"""More work at once than there are slots: no slot stays empty while work waits."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from tickwright import Scheduler, at, tenant
from tickwright.model.clock import SystemClock

ACME = tenant("acme")
SLOTS = 2
WORK_SECONDS = 0.5


async def test_what_came_while_all_slots_were_busy_starts_as_soon_as_one_is_free(
    database_url: str,
) -> None:
    started: list[float] = []

    async def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
        started.append(time.monotonic())
        await asyncio.sleep(WORK_SECONDS)

    scheduler = Scheduler(database_url, slots=SLOTS)
    scheduler.register_handler("work", work)
    async with scheduler:
        now = await SystemClock().now()
        keys = [f"work-{n}" for n in range(SLOTS)]
        for key in keys:
            later = at(now + timedelta(hours=1))
            await scheduler.create_schedule(ACME, "work", later, key=key)
            await scheduler.create_schedule(ACME, "work", at(now + timedelta(seconds=0.5)))
        await until_started(started, SLOTS)
        for key in keys:
            await scheduler.trigger_schedule(ACME, key)
        await until_started(started, 2 * SLOTS)
    assert WORK_SECONDS <= started[-1] - started[0] < 8 * WORK_SECONDS


async def until_started(started: list[float], count: int) -> None:
    began = time.monotonic()
    while len(started) < count:
        assert time.monotonic() - began < 10, f"{len(started)} of {count} runs have started"
        await asyncio.sleep(0.01)
