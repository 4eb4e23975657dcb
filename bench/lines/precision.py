"""One schedule a second on an otherwise idle engine: how late its handler starts."""

from __future__ import annotations

import asyncio
import math
import time

from bench.lines.base import (
    Budget,
    Figure,
    Form,
    Incomplete,
    Line,
    Sample,
    Task,
    Variant,
    be_in_time,
    percentile,
    quiet,
)

SETTLING_SECONDS = 2
_AFTER_SECONDS = 0.5


def variants(form: Form) -> list[Variant]:
    seconds = 2 if form.short else 30
    settling = 1 if form.short else SETTLING_SECONDS
    return [Variant("one a second", {"seconds": seconds, "settling": settling})]


async def measure(task: Task) -> Sample:
    seconds, settling = task.options["seconds"], task.options["settling"]
    starts: list[tuple[float, float]] = []

    async def handler(due: float | None) -> None:
        now = time.time()
        starts.append((math.floor(now) if due is None else due, now))

    async with task.opened(handler) as contender:
        contender.prepare()
        first = task.start(contender, 1)
        await contender.ticking(first, settling + seconds + 1)
        async with contender.working():
            quiet()
            be_in_time(first)
            end = first + settling + seconds
            await asyncio.sleep(end - time.time() - _AFTER_SECONDS)
    late = [at - due for due, at in starts if first + settling <= due < end]
    if not late:
        raise Incomplete(f"none of {seconds} firings came")
    return {
        "count": len(late),
        "early": sum(at < due for due, at in starts),
        "p50": 1000 * percentile(late, 0.5),
        "p99": 1000 * percentile(late, 0.99),
    }


LINE = Line(
    name="precision",
    title="lateness on an idle engine",
    figures=(
        Figure("p50", "late, median", "ms", 1, budgets=(Budget(2),)),
        Figure("p99", "late, 99 of 100", "ms", 1, budgets=(Budget(10),)),
        Figure("count", "firings seen", "", 0, higher_is_better=True),
    ),
    variants=variants,
    measure=measure,
)
