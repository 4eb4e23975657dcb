"""A hundred firings a second among few and among many schedules: lateness and CPU per firing.

The schedules take turns, evenly spread: each fires again only when all others have. Peers without
recurring schedules get as many jobs, of which those in the window are due.
"""

from __future__ import annotations

import asyncio
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
    percentile,
    quiet,
)
from bench.meter import Cost, Meter

PER_SECOND = 100
PEERS_AT_MOST = 100_000
_AFTER_SECONDS = 0.3
_SAME = (Budget(1.2, Against.FIRST, variant=1),)


def variants(form: Form) -> list[Variant]:
    if form.short:
        return [_variant(200, seconds=1, settling=1)]
    return [_variant(count, seconds=20, settling=3) for count in (1_000, form.schedules)]


def _variant(count: int, **window: int) -> Variant:
    options = {"count": count, "peers_at_most": PEERS_AT_MOST, **window}
    return Variant(f"{PER_SECOND} a second of {count:,}", options)


async def measure(task: Task) -> Sample:
    seconds, settling = task.options["seconds"], task.options["settling"]
    count = task.capped(task.options["count"])
    starts: list[tuple[float, float]] = []

    async def handler(due: float | None) -> None:
        if due is not None:
            starts.append((due, time.time()))

    async with task.opened(handler) as contender:
        contender.prepare()
        first = task.start(contender, count)
        await contender.spread(count, PER_SECOND, first, settling + seconds + 1)
        async with contender.working():
            quiet()
            be_in_time(first)
            cost = await _window(contender, first + settling, seconds)
    end = first + settling + seconds
    late = [at - due for due, at in starts if first + settling <= due < end]
    if not late:
        raise Incomplete("nothing fired in the window")
    return {
        "count": len(late),
        "schedules": count,
        "early": sum(at < due for due, at in starts),
        "p50": 1000 * percentile(late, 0.5),
        "p99": 1000 * percentile(late, 0.99),
        "cpu": 1e6 * (cost.app + cost.store) / len(late),
        "app_cpu": 1e6 * cost.app / len(late),
        "store_cpu": 1e6 * cost.store / len(late),
    }


async def _window(contender: Contender, begin: float, seconds: float) -> Cost:
    meter = Meter(contender)
    await asyncio.sleep(begin - time.time())
    await meter.start()
    await asyncio.sleep(begin + seconds - time.time())
    cost = await meter.stop()
    await asyncio.sleep(_AFTER_SECONDS)
    return cost


LINE = Line(
    name="scale",
    title="many schedules",
    figures=(
        Figure("p50", "late, median", "ms", 1, budgets=_SAME),
        Figure("p99", "late, 99 of 100", "ms", 1, budgets=_SAME),
        Figure("cpu", "CPU per firing, with the store's", "µs", 0, budgets=_SAME),
        Figure("count", "firings seen", "", 0, higher_is_better=True),
    ),
    variants=variants,
    measure=measure,
)
