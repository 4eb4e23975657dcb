"""Limits in real time: two engines on one database, and no handler that runs beyond them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from tickwright import Policy, Rate, Scheduler, tenant

ACME = tenant("acme")
PERIOD = 1.0


class Work:
    """Notes when each run begins and how many run at once."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def __call__(self, tenant_id: str | None, payload: dict[str, Any]) -> None:
        self.begun.append(time.monotonic())
        for name in ("all", str(payload.get("customer"))):
            self.running[name] += 1
            self.most[name] = max(self.most[name], self.running[name])
        await asyncio.sleep(0.05)
        for name in ("all", str(payload.get("customer"))):
            self.running[name] -= 1

    async def until(self, count: int) -> None:
        began = time.monotonic()
        while len(self.begun) < count:
            assert time.monotonic() - began < 15, f"{len(self.begun)} of {count} have begun"
            await asyncio.sleep(0.01)


async def test_what_waits_for_room_begins_as_soon_as_there_is_some(database_url: str) -> None:
    """No poll is waited for: that would take half a minute."""
    work = Work()
    async with (
        Scheduler(database_url, auto_migrate=True) as one,
        Scheduler(database_url, auto_migrate=True) as two,
    ):
        for scheduler in (one, two):
            scheduler.register_handler("work", work)
        policy = Policy(concurrency=3, key_concurrency=2, concurrency_key="customer")
        await one.define_job(ACME, "work", policy)
        for n in range(30):
            await (one, two)[n % 2].run_job(ACME, "work", {"customer": "ab"[n % 3 == 0]})
        await work.until(30)
    assert work.most["all"] == 3
    assert max(work.most["a"], work.most["b"]) == 2


async def test_a_rate_opens_by_itself(database_url: str) -> None:
    work = Work()
    async with (
        Scheduler(database_url, auto_migrate=True) as one,
        Scheduler(database_url, auto_migrate=True) as two,
    ):
        for scheduler in (one, two):
            scheduler.register_handler("work", work)
        await one.define_job(ACME, "work", Policy(rate=Rate(4, timedelta(seconds=PERIOD))))
        for _ in range(10):
            await one.run_job(ACME, "work")
        await work.until(10)
    # A start is counted when it is claimed, and begins within a moment of that.
    nearly = PERIOD - 0.2
    assert all(sum(at <= b < at + nearly for b in work.begun) <= 4 for at in work.begun)
    assert 2 * nearly <= work.begun[-1] - work.begun[0] < 10 * PERIOD
