"""Nothing to do for a while: how much of a core a ready process and its store use."""

from __future__ import annotations

import asyncio
import time

from bench.lines.base import Budget, Figure, Form, Line, Sample, Task, Variant
from bench.lines.ready import ready
from bench.meter import Meter, transactions

PEERS_AT_MOST = 10_000
_LATER_SECONDS = 86_400


def variants(form: Form) -> list[Variant]:
    count = 100 if form.short else form.schedules
    window = {"seconds": 0.5, "settling": 0.2} if form.short else {"seconds": 30, "settling": 5}
    options = {"count": count, "peers_at_most": PEERS_AT_MOST, **window}
    return [Variant(f"{count:,} schedules asleep", options)]


async def measure(task: Task) -> Sample:
    async def handler(due: float | None) -> None:
        """Nothing is due."""

    async with task.opened(handler) as contender:
        await contender.asleep(task.capped(task.options["count"]), time.time() + _LATER_SECONDS)
        async with ready(contender) as process:
            await asyncio.sleep(task.options["settling"])
            meter = Meter(contender, process.pid)
            before = await transactions(task.place)
            await meter.start()
            await asyncio.sleep(task.options["seconds"])
            cost = await meter.stop()
            after = await transactions(task.place)
    return {
        "share": 100 * (cost.app + cost.store) / cost.wall,
        "app_share": 100 * cost.app / cost.wall,
        "store_share": 100 * cost.store / cost.wall,
        "transactions": (after - before) / cost.wall,
    }


LINE = Line(
    name="idle",
    title="idle process",
    figures=(
        Figure("share", "of a core, with the store's", "%", 2, budgets=(Budget(0.5),)),
        Figure("transactions", "transactions a second", "/s", 1),
    ),
    variants=variants,
    measure=measure,
)
