"""One campaign: clients at work, faults all the while, quiet in the end, and the verdict on it.

Invariant: what is judged is what was recorded, and a recording that breaks a promise is kept.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.faults.forms import Verdict
from tests.faults.judge.checker import judge
from tests.faults.judge.history import History
from tests.faults.world.clients import Client
from tests.faults.world.faults import Act, Planned, inflict
from tests.faults.world.system import Settings, System


async def campaign(
    settings: Settings,
    faults: Sequence[Planned],
    folder: Path,
    acts: Mapping[str, Act] | None = None,
) -> History:
    """Everything that was recorded while clients wrote, things were done, and all became quiet.

    The same settings and faults make the same load and the same faults; `acts` are further kinds
    of fault by name.
    """
    async with System(settings, folder) as system, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(_client(system, f"client-{number}"))
            for number in range(1, settings.clients + 1)
        ]
        await _through(system, clients, faults, acts)
        await system.whole()
        await asyncio.gather(*(client.finish() for client in clients))
        await system.become_quiet()
        await system.stop()
        return await system.history()


def _client(system: System, name: str) -> Client:
    settings = system.settings
    return Client(name, settings.seed, system.services, system.operations, settings.habits)


async def _through(
    system: System,
    clients: Sequence[Client],
    faults: Sequence[Planned],
    acts: Mapping[str, Act] | None,
) -> None:
    """The time of trouble: as long as the settings say, and until the last fault is over."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.work(stop))
        lasting = asyncio.create_task(asyncio.sleep(system.settings.seconds))
        try:
            await inflict(system, faults, acts)
            await lasting
        finally:
            lasting.cancel()
            stop.set()


def verdict(
    run: str, history: History, folder: Path, *, injected: int, further: Iterable[str] = ()
) -> Verdict:
    """The line in the table; `further` are violations that the run found by itself.

    A history that breaks a promise is kept in `folder`, and the command that judges it again is
    printed; one that breaks none is not kept.
    """
    history.save(folder)
    found = judge(history)
    violations = [f"{each.invariant}: {each.what}" for each in found.violations]
    violations += further
    if violations:
        print(f"judge again: {sys.executable} -m tests.faults.judge {folder}")
    else:
        shutil.rmtree(folder)
    return Verdict(
        run=run,
        injected=injected,
        occurrences=found.occurrences,
        lost=found.count("lost", "lost write"),
        doubled=found.count("doubled"),
        early=found.count("early"),
        lateness=found.worst_lateness,
        violations=violations,
    )


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Several verdicts of one run as one line."""
    return Verdict(
        run=verdicts[0].run,
        injected=sum(each.injected for each in verdicts),
        occurrences=sum(each.occurrences for each in verdicts),
        lost=sum(each.lost for each in verdicts),
        doubled=sum(each.doubled for each in verdicts),
        early=sum(each.early for each in verdicts),
        lateness=max(each.lateness for each in verdicts),
        violations=[line for each in verdicts for line in each.violations],
    )
