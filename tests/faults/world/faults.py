"""What is done to the system: a list that follows from a seed, and the acts that it is made of.

Invariant: each act that was done is recorded once, with when it began and when it was over, and
leaves behind a system that can recover by itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.judge.history import Fault
from tests.faults.world.proxy import Commits
from tests.faults.world.system import System, eventually, now

_HOLDS_SECONDS = 5.0
_TRIES = 10
_LEAVE_SECONDS = 5.0


@dataclass(frozen=True)
class Planned:
    """One thing to do, `at` seconds after the clients began, to whom, and for how long."""

    at: float
    kind: str
    target: str = ""
    seconds: float = 0.0


Act = Callable[[System, Planned], Awaitable[Mapping[str, Any]]]


def spread(
    seed: int,
    kinds: Sequence[str],
    targets: Sequence[str],
    count: int,
    every: float,
    seconds: tuple[float, float] = (0.0, 0.0),
) -> list[Planned]:
    """`count` acts, one in each stretch of `every` seconds; each picked by the seed."""
    chance = random.Random(f"{seed} faults")
    return [
        Planned(
            at=round((number + chance.random()) * every, 3),
            kind=chance.choice(kinds),
            target=chance.choice(targets),
            seconds=round(chance.uniform(*seconds), 3),
        )
        for number in range(count)
    ]


async def inflict(
    system: System, planned: Sequence[Planned], acts: Mapping[str, Act] | None = None
) -> None:
    """Do everything at its time, and return when all of it is over."""
    known = ACTS | dict(acts or {})
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for each in sorted(planned, key=lambda plan: plan.at):
            await asyncio.sleep(began + each.at - time.monotonic())
            group.create_task(_do(system, each, known[each.kind]))


async def _do(system: System, planned: Planned, act: Act) -> None:
    began_at = now()
    detail = dict(await act(system, planned))
    began_at, ended_at = detail.pop("began_at", began_at), detail.pop("ended_at", now())
    system.faults.append(Fault(planned.kind, planned.target, began_at, ended_at, detail))


async def kill(system: System, planned: Planned) -> Mapping[str, Any]:
    """SIGKILL, and start it again."""
    process = system.processes[planned.target]
    began_at = now()
    process.kill()
    system.spawn(planned.target)
    return {"began_at": began_at, "ended_at": began_at, "pid": process.pid}


async def freeze(system: System, planned: Planned) -> Mapping[str, Any]:
    """SIGSTOP while it holds runs, SIGCONT some seconds later."""
    process = system.processes[planned.target]
    held: dict[str, int] = {}
    began_at = now()
    for _ in range(_TRIES):
        await eventually(lambda: system.held(planned.target), _HOLDS_SECONDS)
        began_at = now()
        process.freeze()
        held = await system.held(planned.target)
        if held:
            break
        # It ended its last run just before.
        process.thaw()
    try:
        await asyncio.sleep(planned.seconds)
    finally:
        process.thaw()
    return {"began_at": began_at, "pid": process.pid, "held": held}


async def leave(system: System, planned: Planned) -> Mapping[str, Any]:
    """SIGTERM when a second begins, as schedules fall due, and a new one once it has ended.

    `seconds` is how far into that second.
    """
    process = system.processes[planned.target]
    await asyncio.sleep(-now() % 1 + planned.seconds)
    began_at = now()
    code = await process.terminate(system.settings.grace + _LEAVE_SECONDS)
    left_at = now()
    system.spawn(planned.target)
    await system.at_work(planned.target)
    return {"began_at": began_at, "pid": process.pid, "code": code, "took": left_at - began_at}


async def reset(system: System, planned: Planned) -> Mapping[str, Any]:
    """Break all of a process's connections to the database, or everybody's."""
    broken = 0
    for proxy in _proxies(system, planned):
        broken += proxy.connections
        await proxy.reset()
    return {"connections": broken}


async def cut(system: System, planned: Planned) -> Mapping[str, Any]:
    """Break the connections and refuse new ones for some seconds."""
    proxies = _proxies(system, planned)
    broken = sum(proxy.connections for proxy in proxies)
    for proxy in proxies:
        await proxy.cut()
    await asyncio.sleep(planned.seconds)
    for proxy in proxies:
        await proxy.mend()
    return {"connections": broken}


async def stall(system: System, planned: Planned) -> Mapping[str, Any]:
    """Let nothing through for some seconds, without breaking a connection."""
    proxies = _proxies(system, planned)
    before = sum(proxy.counts["stalled"] for proxy in proxies)
    for proxy in proxies:
        proxy.stall()
    await asyncio.sleep(planned.seconds)
    for proxy in proxies:
        proxy.flow()
    return {"stalled": sum(proxy.counts["stalled"] for proxy in proxies) - before}


async def slow(system: System, planned: Planned) -> Mapping[str, Any]:
    """Delay everything between the processes and the database by a tenth of a second."""
    for proxy in _proxies(system, planned):
        proxy.latency = 0.1
    await asyncio.sleep(planned.seconds)
    for proxy in _proxies(system, planned):
        proxy.latency = 0.0
    return {}


def commits(how: Commits) -> Act:
    """Break the connections of all commits for some seconds, on that side of the commit."""

    async def act(system: System, planned: Planned) -> Mapping[str, Any]:
        proxies = _proxies(system, planned)
        before = sum(proxy.counts[how] for proxy in proxies)
        for proxy in proxies:
            proxy.commits = how
        await asyncio.sleep(planned.seconds)
        for proxy in proxies:
            proxy.commits = "pass"
        return {"commits": sum(proxy.counts[how] for proxy in proxies) - before}

    return act


ACTS: dict[str, Act] = {
    "kill": kill,
    "freeze": freeze,
    "leave": leave,
    "reset": reset,
    "cut": cut,
    "stall": stall,
    "slow": slow,
    "unsent": commits("unsent"),
    "unanswered": commits("unanswered"),
}


def _proxies(system: System, planned: Planned) -> list[Any]:
    """Of one process, or of all when nobody is named."""
    return [system.proxies[planned.target]] if planned.target else [*system.proxies.values()]
