"""Waiting runs whose handlers do nothing: runs a second from being ready to the last record."""

from __future__ import annotations

import time

from bench.lines.base import (
    Budget,
    Figure,
    Form,
    Line,
    Sample,
    Task,
    Variant,
    quiet,
    until,
    until_recorded,
)
from bench.meter import Meter
from bench.place import POSTGRES

PATIENCE_SECONDS = 180.0


def variants(form: Form) -> list[Variant]:
    count = 300 if form.short else 20_000
    return [Variant(f"{count:,} waiting", {"count": count})]


async def measure(task: Task) -> Sample:
    started: list[float] = []

    async def handler(due: float | None) -> None:
        started.append(time.time())

    async with task.opened(handler) as contender:
        count = round(task.options["count"] * contender.share)
        await contender.backlog(count)
        contender.prepare()
        quiet()
        meter = Meter(contender)
        await meter.start()
        async with contender.working():
            ready = time.time()
            await until(lambda: len(started) >= count, PATIENCE_SECONDS, f"{count} did not start")
            recorded = await until_recorded(contender, PATIENCE_SECONDS)
            cost = await meter.stop()
    return {
        "count": len(started),
        "rate": count / (recorded - min(ready, *started)),
        "app_cpu": cost.app,
        "store_cpu": cost.store,
    }


LINE = Line(
    name="backlog",
    title="no-op runs, full history",
    figures=(
        Figure(
            "rate",
            "runs a second, claim to finish",
            unit="/s",
            digits=0,
            higher_is_better=True,
            budgets=(Budget(40_000, dialects=(POSTGRES,)),),
        ),
    ),
    variants=variants,
    measure=measure,
)
