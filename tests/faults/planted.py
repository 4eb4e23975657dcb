"""Nine bugs planted into the engine, each of which the judge has to notice.

Invariant: every campaign in which a bug goes unnoticed is a violation, and so is every control, a
campaign with the same faults and no bug, in which anything is noticed.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.faults.campaign import campaign
from tests.faults.forms import Form, Verdict
from tests.faults.judge.checker import judge
from tests.faults.ledger import connected
from tests.faults.world.clients import NARROW, Habits
from tests.faults.world.faults import Act, Planned
from tests.faults.world.mutations import BUGS, GAP_SECONDS
from tests.faults.world.system import Settings, System, eventually, now

NAME = "planted bugs"
_AT_ONCE = 3
_CHANCES = 3
_ARMED_SECONDS = 20.0
_BASE = Settings(
    seconds=6.0,
    services=1,
    workers=1,
    clients=2,
    patience=15.0,
    habits=Habits(schedules=4, pace=0.4, longest=2, edits=False),
)


@dataclass(frozen=True)
class Trap:
    """The circumstances in which a bug shows, and what the judge calls what it sees."""

    faults: Sequence[Planned]
    shows_as: frozenset[str]
    settings: Settings = _BASE
    acts: Mapping[str, Act] = field(default_factory=dict)
    control: str | None = None


async def restore(system: System, planned: Planned) -> Mapping[str, Any]:
    """Put the cursors back to what they were some seconds ago, as a partial restore would."""
    await eventually(lambda: _armed(system, _BASE.habits.schedules), _ARMED_SECONDS)
    async with connected(system.url) as (c, t):
        before = {row.schedule_id: row for row in await c.execute(sa.select(t.cursors))}
    await asyncio.sleep(planned.seconds)
    async with connected(system.url) as (c, t):
        for schedule_id, row in before.items():
            values = {name: row._mapping[name] for name in _RESTORED}
            armed = t.cursors.c.next_run_at.is_not(None)
            mine = sa.update(t.cursors).where(t.cursors.c.schedule_id == schedule_id, armed)
            await c.execute(mine.values(values))
        await c.commit()
    restored_at = now()
    # What is owed once more has to be decided before the clients stop their schedules.
    await asyncio.sleep(2 * planned.seconds)
    return {"cursors": len(before), "began_at": restored_at, "ended_at": restored_at}


async def _armed(system: System, count: int) -> bool:
    async with connected(system.url) as (c, t):
        armed = sa.select(sa.func.count()).where(t.cursors.c.next_run_at.is_not(None))
        return int((await c.execute(armed)).scalar_one()) >= count


_RESTORED = ("next_run_at", "decided_through", "fired_count")


async def stand_still(system: System, planned: Planned) -> Mapping[str, Any]:
    """Freeze every process for some seconds."""
    await eventually(lambda: _armed(system, _BASE.habits.schedules), _ARMED_SECONDS)
    for process in system.processes.values():
        process.freeze()
    await asyncio.sleep(planned.seconds)
    for process in system.processes.values():
        process.thaw()
    return {}


async def kill_while_firing(system: System, planned: Planned) -> Mapping[str, Any]:
    """Kill every process a moment after a second has begun, and start them again; twice."""
    began_at = now()
    for _ in range(2):
        await eventually(lambda: _armed(system, _BASE.habits.schedules), _ARMED_SECONDS)
        await asyncio.sleep(1 - now() % 1 + planned.seconds)
        for process in system.processes.values():
            process.kill()
        for name in system.names:
            system.spawn(name)
        await system.whole()
    return {"began_at": began_at}


_KILLS = [Planned(1.0, "kill while firing", seconds=0.6 * GAP_SECONDS)]
_KILLING: Mapping[str, Act] = {"kill while firing": kill_while_firing}
TRAPS: dict[str, Trap] = {
    "no-unique-key": Trap(
        [Planned(1.0, "restore", seconds=2.5)],
        frozenset({"doubled"}),
        replace(
            _BASE,
            habits=replace(
                _BASE.habits, overlaps=("allow",), bounds=False, changes=False, one_shots=0.0
            ),
        ),
        {"restore": restore},
    ),
    "cursor-first": Trap(_KILLS, frozenset({"lost"}), acts=_KILLING),
    "next-from-now": Trap(
        [Planned(1.0, "stand still", seconds=3.0)],
        frozenset({"lost"}),
        acts={"stand still": stand_still},
    ),
    "no-lease-token": Trap(
        [Planned(0.5, "freeze", "worker-1", 2.4), Planned(3.5, "freeze", "service-1", 2.4)],
        frozenset({"stale write", "success", "transition", "lease"}),
        replace(_BASE, habits=replace(_BASE.habits, work=lambda chance: {"delay": 2.0})),
    ),
    "heartbeat-in-the-handlers-thread": Trap(
        [],
        frozenset({"lost lease"}),
        replace(
            _BASE,
            workers=2,
            clients=1,
            habits=replace(_BASE.habits, shortest=5, longest=5, schedules=1, changes=False),
        ),
        control="blocking-work",
    ),
    "success-before-send": Trap(_KILLS, frozenset({"success"}), acts=_KILLING),
    "counter-in-memory": Trap(_KILLS, frozenset({"counters"}), acts=_KILLING),
    "pause-outside-the-transaction": Trap(
        [],
        frozenset({"invented", "final", "lost write", "lost"}),
        replace(_BASE, habits=replace(_BASE.habits, shortest=1, longest=1, pace=0.1)),
    ),
    "limits-without-a-lock": Trap(
        [],
        frozenset({"limit"}),
        replace(_BASE, habits=replace(_BASE.habits, shortest=1, longest=1, jobs=(NARROW,))),
    ),
}
assert TRAPS.keys() == BUGS.keys()


async def run(form: Form, folder: Path) -> Verdict:
    """All nine, and with the long form the controls too, a few at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)
    planted = [(bug, bug) for bug in TRAPS]
    sound = [(bug, TRAPS[bug].control) for bug in TRAPS] if form.long else []

    async def one(bug: str, mutate: str | None) -> tuple[int, list[str]]:
        async with gate:
            return await _tried(bug, mutate, form.seed, folder)

    found = await asyncio.gather(*(one(*each) for each in [*planted, *sound]))
    missed = [line for _, lines in found for line in lines]
    return Verdict(
        run=NAME,
        injected=len(planted),
        occurrences=sum(count for count, _ in found),
        violations=missed,
    )


async def _tried(bug: str, mutate: str | None, seed: int, folder: Path) -> tuple[int, list[str]]:
    """A bug shows when moments coincide, so it gets a few chances; a control gets one."""
    count, wrong = await _sprung(bug, mutate, seed, folder)
    for chance in range(1, _CHANCES if mutate == bug else 1):
        if wrong:
            more, wrong = await _sprung(bug, mutate, seed + chance, folder / f"again-{chance}")
            count += more
    return count, wrong


async def _sprung(bug: str, mutate: str | None, seed: int, folder: Path) -> tuple[int, list[str]]:
    """How many occurrences there were, and what the judge failed to see, or saw in vain."""
    trap = TRAPS[bug]
    here = folder / (bug if mutate == bug else f"{bug}-control")
    settings = replace(trap.settings, seed=seed, mutate=mutate)
    if bug == "no-unique-key" and mutate == bug:
        settings = replace(settings, prepare=_drop_the_key)
    history = await campaign(settings, trap.faults, here, trap.acts)
    found = judge(history)
    seen = {violation.invariant for violation in found.violations}
    wrong = []
    if mutate == bug and not seen & trap.shows_as:
        wrong.append(f"{bug} went unnoticed; what was seen: {sorted(seen)}")
    if mutate != bug and seen:
        history.save(here / "history")
        wrong += [f"without {bug} {each.invariant}: {each.what}" for each in found.violations]
    if not wrong:
        shutil.rmtree(here)
    return found.occurrences, wrong


async def _drop_the_key(url: str) -> None:
    async with connected(url) as (c, _):
        await c.execute(sa.text("DROP INDEX tickwright.runs_occurrence"))
        await c.commit()
