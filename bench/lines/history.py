"""A large installation beside a small one: start, idling, pages of lists, and firing on time.

It is filled by PostgreSQL itself. What is listed is asked through the library, as a page of the
admin or of the API would ask it, of a tenant that has a tenth of everything.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from statistics import median

from bench import history
from bench.contenders.base import Contender, utc
from bench.contenders.tickwright import Tickwright
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
from bench.lines.ready import ready
from bench.meter import Meter
from bench.place import POSTGRES
from tickwright import Scheduler
from tickwright.model.run import RunStatus
from tickwright.model.scope import tenant
from tickwright.store.queries import RunQuery, ScheduleQuery

PER_SECOND = 100
TENANT = tenant("tenant-1")
DEEP = 10_000
_SAME = (Budget(1.2, Against.FIRST, variant=1),)
LOADS_PER_SECOND = 30_000
_REQUESTS = 100
_SETTLING_SECONDS = 3.0


def variants(form: Form) -> list[Variant]:
    if form.short:
        return [_variant(200, 1_000, patience=0.2, idle=0.3, seconds=1, starts=1, asleep=8)]
    window = {"patience": 8, "idle": 15, "seconds": 20, "starts": 3, "asleep": 60}
    return [_variant(1_000, 5_000, **window), _variant(1_000_000, 5_000_000, **window)]


def _variant(schedules: int, runs: int, **options: float) -> Variant:
    label = f"{schedules:,} schedules, {runs:,} ended runs"
    return Variant(label, {"schedules": schedules, "runs": runs, **options})


async def measure(task: Task) -> Sample:
    options = task.options
    starts: list[tuple[float, float]] = []

    async def handler(due: float | None) -> None:
        if due is not None:
            starts.append((due, time.time()))

    async with task.opened(handler) as contender:
        assert isinstance(contender, Tickwright)
        began = time.time()
        now = utc(math.floor(began))
        await history.fill_runs(task.place, options["runs"], options["schedules"], now)
        filled = time.time() - began
        # The schedules come last, when it is known how long the runs took. They are due when
        # what is measured without anything due is over.
        count = options["schedules"]
        first = math.ceil(time.time() + options["asleep"] + count / LOADS_PER_SECOND)
        await history.fill_schedules(task.place, count, PER_SECOND, utc(first), now)
        sample: Sample = {"fill": time.time() - began, "fill_runs": filled}
        sample |= await _resting(contender, options["starts"], options["idle"])
        be_in_time(first)
        sample |= await _lists(task.place.url, options["patience"])
        sample |= await _firing(contender, max(first, time.time()), options["seconds"], starts)
    return sample


async def _resting(contender: Contender, times: int, seconds: float) -> Sample:
    """How soon it is ready, and what it uses when nothing is due."""
    readies = []
    for _ in range(times):
        async with ready(contender) as process:
            readies.append(process.seconds)
    async with ready(contender) as process:
        await asyncio.sleep(min(5, seconds))
        meter = Meter(contender, process.pid)
        await meter.start()
        await asyncio.sleep(seconds)
        cost = await meter.stop()
    return {"ready": median(readies), "share": 100 * (cost.app + cost.store) / cost.wall}


async def _lists(url: str, patience: float) -> Sample:
    scheduler = Scheduler(url)
    try:
        [one] = (await scheduler.find_schedules(TENANT, ScheduleQuery(limit=1))).items
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "runs": lambda: scheduler.find_runs(TENANT, RunQuery()),
            "deep": lambda: scheduler.find_runs(TENANT, RunQuery(offset=DEEP)),
            "of_one": lambda: scheduler.find_runs(TENANT, RunQuery(schedule_id=one.id)),
            "failed": lambda: scheduler.find_runs(TENANT, RunQuery(statuses=[RunStatus.FAILED])),
            "dead": lambda: scheduler.find_runs(TENANT, RunQuery(statuses=[RunStatus.DEAD])),
            "schedules": lambda: scheduler.find_schedules(TENANT, ScheduleQuery()),
            "next": lambda: scheduler.find_schedules(TENANT, ScheduleQuery(order="nextRunAt")),
        }
        sample: Sample = {}
        for name, ask in asked.items():
            took = await _timed(ask, patience)
            sample[f"{name}_p50"] = 1000 * percentile(took, 0.5)
            sample[f"{name}_p99"] = 1000 * percentile(took, 0.99)
        return sample
    finally:
        await scheduler.stop()


async def _timed(ask: Callable[[], Awaitable[object]], patience: float) -> list[float]:
    """Seconds of each of many requests, or of as many as there is time for."""
    await ask()
    took: list[float] = []
    deadline = time.monotonic() + patience
    while len(took) < _REQUESTS and (not took or time.monotonic() < deadline):
        began = time.perf_counter()
        await ask()
        took.append(time.perf_counter() - began)
    return took


async def _firing(
    contender: Contender, first: float, seconds: float, starts: list[tuple[float, float]]
) -> Sample:
    contender.prepare()
    await asyncio.sleep(max(0.0, first - time.time()))
    async with contender.working():
        quiet()
        begin = time.time() + _SETTLING_SECONDS
        await asyncio.sleep(_SETTLING_SECONDS)
        meter = Meter(contender)
        await meter.start()
        await asyncio.sleep(begin + seconds - time.time())
        cost = await meter.stop()
        await asyncio.sleep(0.3)
    late = [at - due for due, at in starts if begin <= due < begin + seconds]
    if not late:
        raise Incomplete("nothing fired in the window")
    return {
        "count": len(late),
        "early": sum(at < due for due, at in starts),
        "p50": 1000 * percentile(late, 0.5),
        "p99": 1000 * percentile(late, 0.99),
        "cpu": 1e6 * (cost.app + cost.store) / len(late),
    }


def _pages(name: str, title: str) -> tuple[Figure, ...]:
    return (
        Figure(f"{name}_p50", f"{title}, median", "ms", 1),
        Figure(f"{name}_p99", f"{title}, 99 of 100", "ms", 1),
    )


LINE = Line(
    name="history",
    title="much history",
    figures=(
        Figure("fill", "filled in", "s", 0),
        Figure("ready", "process ready after", budgets=(Budget(1.5),)),
        Figure("share", "idle, of a core with the store's", "%", 2, budgets=(Budget(0.5),)),
        *_pages("runs", "first page of runs"),
        *_pages("deep", f"page of runs after {DEEP:,}"),
        *_pages("of_one", "runs of a schedule"),
        *_pages("failed", "failed runs, 1 of 100"),
        *_pages("dead", "dead runs, 1 of 10,000"),
        *_pages("schedules", "first page of schedules"),
        *_pages("next", "schedules by next run"),
        Figure("p50", "late, median", "ms", 1, budgets=_SAME),
        Figure("p99", "late, 99 of 100", "ms", 1, budgets=_SAME),
        Figure("cpu", "CPU per firing, with the store's", "µs", 0, budgets=_SAME),
        Figure("count", "firings seen", "", 0, higher_is_better=True),
    ),
    variants=variants,
    measure=measure,
    dialects=(POSTGRES,),
    alone=True,
)
