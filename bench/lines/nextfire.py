"""What one next occurrence costs, for a mix of cron rules and zones, beside other cron libraries.

All of them step through the same rules in one process, each from its own last answer; whether they
are right is not asked here. Only the time between two answers counts, not the reading of a rule.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from itertools import product
from statistics import median
from zoneinfo import ZoneInfo

from bench.lines.base import Budget, Figure, Form, Line, Sample, Task, Variant

EXPRESSIONS = (
    "* * * * *",
    "*/15 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "0 9 * * MON-FRI",
    "0 0 * * SUN",
    "15 10 1 * *",
    "0 12 1,15 JAN,JUL *",
    "0 0 29 2 *",
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
PEERS = ("cronsim", "croniter", "apscheduler")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_END = datetime(2150, 1, 1, tzinfo=UTC)
Steps = Callable[[], datetime]


def variants(form: Form) -> list[Variant]:
    steps, repeat = (20, 1) if form.short else (400, 5)
    options = {"steps": steps, "repeat": repeat}
    return [Variant(f"{len(EXPRESSIONS)} rules, {len(ZONES)} zones", options)]


async def measure(task: Task) -> Sample:
    steppers = {"ours": _ours, **{name: _PEERS[name] for name in PEERS if _installed(name)}}
    taken: dict[str, list[float]] = {name: [] for name in steppers}
    for _ in range(task.options["repeat"]):
        for name, stepper in steppers.items():
            taken[name].append(_microseconds(stepper, task.options["steps"]))
    sample = {name: median(values) for name, values in taken.items()}
    if peers := [sample[name] for name in PEERS if name in sample]:
        sample["ratio"] = sample["ours"] / min(peers)
    return sample


def _installed(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def _microseconds(stepper: Callable[[str, str], Iterator[datetime]], steps: int) -> float:
    seconds, count = 0.0, 0
    for expression, zone in product(EXPRESSIONS, ZONES):
        found = stepper(expression, zone)
        next(found)
        begin = time.perf_counter()
        for _ in range(steps):
            if next(found).year >= _END.year:
                break
            count += 1
        seconds += time.perf_counter() - begin
    return seconds / count * 1e6


def _ours(expression: str, zone: str) -> Iterator[datetime]:
    from tickwright import cron

    trigger, moment = cron(expression, tz=zone), _START
    while (found := trigger.next_after(moment)) is not None:
        yield found
        moment = found


def _cronsim(expression: str, zone: str) -> Iterator[datetime]:
    from cronsim import CronSim

    yield from CronSim(expression, _START.astimezone(ZoneInfo(zone)))


def _croniter(expression: str, zone: str) -> Iterator[datetime]:
    from croniter import croniter

    steps = croniter(expression, _START.astimezone(ZoneInfo(zone)))
    while True:
        yield steps.get_next(datetime)


def _apscheduler(expression: str, zone: str) -> Iterator[datetime]:
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(expression, timezone=ZoneInfo(zone))
    moment = trigger.get_next_fire_time(None, _START)
    while moment is not None:
        yield moment
        moment = trigger.get_next_fire_time(moment, moment)


_PEERS = {"cronsim": _cronsim, "croniter": _croniter, "apscheduler": _apscheduler}

LINE = Line(
    name="nextfire",
    title="next fire",
    figures=(
        Figure("ours", "Tickwright", unit="µs"),
        Figure("cronsim", "cronsim", unit="µs"),
        Figure("croniter", "croniter", unit="µs"),
        Figure("apscheduler", "APScheduler 3", unit="µs"),
        Figure("ratio", "ours to the fastest", unit="", budgets=(Budget(1.0),)),
    ),
    variants=variants,
    measure=measure,
    alone=True,
)
