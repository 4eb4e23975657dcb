"""More work at once than there are slots: no slot stays empty while work waits."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from tickwright import Scheduler, at, tenant
from tickwright.model.clock import SystemClock

ACME = tenant("acme")
SLOTS = 4
RUNS = 40
WORK_SECONDS = 0.05


async def test_a_backlog_beyond_the_slots_is_worked_off_without_a_pause(database_url: str) -> None:
    ended: list[float] = []

    async def work(tenant_id: str | None, payload: dict[str, Any]) -> None:
        await asyncio.sleep(WORK_SECONDS)
        ended.append(time.monotonic())

    scheduler = Scheduler(database_url, slots=SLOTS)
    scheduler.register_handler("work", work)
    async with scheduler:
        instant = await SystemClock().now() + timedelta(seconds=1)
        for _ in range(RUNS):
            await scheduler.create_schedule(ACME, "work", at(instant))
        began = time.monotonic()
        while len(ended) < RUNS:
            assert time.monotonic() - began < 10, f"{len(ended)} of {RUNS} runs have ended"
            await asyncio.sleep(0.01)
    least = RUNS / SLOTS * WORK_SECONDS
    assert ended[-1] - ended[0] < 3 * least
