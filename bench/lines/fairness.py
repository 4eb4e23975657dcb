"""How late one tenant's schedules are while another one has far more to do than there are slots.

The quiet value is measured just before, on the same database without the crowd. The process has
as many slots as it has by default, because the fewer there are the harder it is to be fair.
"""

from __future__ import annotations

import asyncio
import math
import time

from bench import fill
from bench.contenders.base import utc
from bench.contenders.tickwright import Tickwright
from bench.lines.base import (
    Budget,
    Figure,
    Form,
    Incomplete,
    Line,
    Sample,
    Task,
    Variant,
    percentile,
    quiet,
)

PER_SECOND = 5
SCHEDULES = 20
HANDLER_SECONDS = 0.01
SLOTS = 100
MOST_MS = 250.0
_SETTLING_SECONDS = 0.5
_AFTER_SECONDS = 0.5
_LOOK_SECONDS = 0.25
_REST = 0.1
"""Of the crowd: when so little of it is left, the window is over."""
Lates = list[tuple[float, float]]


def variants(form: Form) -> list[Variant]:
    options = {"crowd": 20_000, "seconds": 1} if form.short else {"crowd": 100_000, "seconds": 20}
    return [Variant(f"beside {options['crowd']:,} due runs of 10 ms", options)]


async def measure(task: Task) -> Sample:
    lates: Lates = []

    async def handler(due: float | None) -> None:
        if due is None:
            await asyncio.sleep(HANDLER_SECONDS)
        else:
            lates.append((due, time.time() - due))

    async with task.opened(handler) as contender:
        assert isinstance(contender, Tickwright)
        contender.slots = SLOTS
        place, seconds = task.place, task.options["seconds"]
        first = utc(math.ceil(time.time() + 1))
        few = fill.spread(SCHEDULES, PER_SECOND, first)
        await fill.fill_schedules(place, few, utc(time.time()), fill.LATENESS_JOB, "quiet")
        alone = await _window(contender, seconds, lates)
        target = {"type": "handler", "name": fill.JOB}
        await fill.fill_backlog(place, task.options["crowd"], target, utc(time.time()), "crowd")
        before = time.time()
        beside = await _window(contender, seconds, lates, task.options["crowd"])
        left = await contender.unfinished()
    if not alone or not beside:
        raise Incomplete("nothing fired in the window")
    still, busy = 1000 * percentile(alone, 0.99), 1000 * percentile(beside, 0.99)
    return {
        "quiet": still,
        "busy": busy,
        "busy_p50": 1000 * percentile(beside, 0.5),
        "allowed": busy / max(MOST_MS, 2 * still),
        "count": len(beside),
        "left": left,
        "crowd_rate": (task.options["crowd"] - left) / (time.time() - before),
    }


async def _window(
    contender: Tickwright, seconds: float, lates: Lates, crowd: int = 0
) -> list[float]:
    """What was late in so many seconds of work, or until most of the crowd is through."""
    contender.prepare()
    quiet()
    async with contender.working():
        begin = time.time() + _SETTLING_SECONDS
        while time.time() < begin + seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            if await contender.unfinished() < crowd * _REST:
                break
        end = time.time()
        await asyncio.sleep(_AFTER_SECONDS)
    return [late for due, late in lates if begin <= due < end]


LINE = Line(
    name="fairness",
    title="one tenant beside a crowd",
    figures=(
        Figure("quiet", "late without it, 99 of 100", "ms", 1),
        Figure("busy", "late beside it, 99 of 100", "ms", 1),
        Figure("allowed", "of 250 ms or twice the quiet value", "", 2, budgets=(Budget(1.0),)),
        Figure("count", "firings seen", "", 0, higher_is_better=True),
        Figure("left", "of the crowd still waiting at the end", "", 0, higher_is_better=True),
    ),
    variants=variants,
    measure=measure,
    alone=True,
)
