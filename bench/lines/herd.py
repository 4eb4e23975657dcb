"""Many schedules due at one instant: how long after it the first and the last handler start."""

from __future__ import annotations

import time

from bench.contenders.base import Contender
from bench.lines.base import (
    Against,
    Budget,
    Figure,
    Form,
    Incomplete,
    Line,
    Sample,
    Task,
    Variant,
    be_in_time,
    quiet,
    until,
    until_recorded,
)
from bench.meter import Meter
from bench.place import POSTGRES

PATIENCE_SECONDS = 180.0


def variants(form: Form) -> list[Variant]:
    count, few = (300, 100) if form.short else (10_000, 100)
    one = Variant(f"{count:,} due, {few} rules", {"count": count, "rules": few})
    if form.short:
        return [one]
    distinct = {"count": count, "rules": count}
    return [one, Variant(f"{count:,} due, each its own rule", distinct, only_recurring=True)]


async def measure(task: Task) -> Sample:
    count, rules = task.options["count"], task.options["rules"]
    started: list[float] = []

    async def handler(due: float | None) -> None:
        started.append(time.time())

    async with task.opened(handler) as contender:
        contender.prepare()
        due = task.start(contender, count)
        await contender.herd(count, rules, due)
        async with contender.working():
            return await _watch(contender, due, count, started)


async def _watch(contender: Contender, due: float, count: int, started: list[float]) -> Sample:
    quiet()
    be_in_time(due)
    meter = Meter(contender)
    await meter.start()
    patience = due - time.time() + PATIENCE_SECONDS
    await until(lambda: len(started) >= count, patience, f"{count} were not started")
    recorded = await until_recorded(contender, PATIENCE_SECONDS)
    cost = await meter.stop()
    if len(started) != count:
        raise Incomplete(f"{len(started)} starts of {count}")
    return {
        "count": len(started),
        "early": sum(at < due for at in started),
        "first": min(started) - due,
        "last": max(started) - due,
        "recorded": recorded - due,
        "app_cpu": cost.app,
        "store_cpu": cost.store,
    }


LINE = Line(
    name="herd",
    title="schedules due at one instant",
    figures=(
        Figure("first", "first handler started after"),
        Figure(
            "last",
            "last handler started after",
            budgets=(
                Budget(0.45, dialects=(POSTGRES,), variant=0),
                Budget(2.0, Against.FLOOR, (POSTGRES,), variant=0),
            ),
        ),
        Figure("recorded", "all recorded as done after"),
    ),
    variants=variants,
    measure=measure,
)
