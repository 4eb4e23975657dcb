"""SIGSTOP of workers that hold runs, for longer than their lease, several at once; then SIGCONT.

A freeze counts when another worker took over what the frozen one held: only then is there an
ending that must be refused.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.campaign import campaign, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.judge.case import Case
from tests.faults.judge.history import Entry, Fault
from tests.faults.world.clients import Habits
from tests.faults.world.faults import Planned
from tests.faults.world.system import Settings

NAME = "freezes"
SHORT_WAVES = 2
LONG_WAVES = 35
WAVE_SECONDS = 6.0
_LEASE_SECONDS = 1.2
_SWEEP_SECONDS = 0.3
_PICK_UP_SECONDS = _LEASE_SECONDS + _SWEEP_SECONDS + 1.5
_FROZEN_SECONDS = (_PICK_UP_SECONDS, _PICK_UP_SECONDS + 1.0)
_WORKERS = ("worker-1", "worker-2", "worker-3")


def long_work(chance: random.Random) -> dict[str, Any]:
    """Mostly longer than it takes to freeze who does it, and over before the thaw."""
    return {"delay": round(chance.uniform(0.5, 2.0), 3)}


_HABITS = Habits(schedules=8, pace=0.3, work=long_work, longest=3)


async def run(form: Form, folder: Path) -> Verdict:
    """Waves in which every worker freezes, when and for how long drawn by the seed."""
    waves = LONG_WAVES if form.long else SHORT_WAVES
    settings = Settings(
        seed=form.seed,
        seconds=waves * WAVE_SECONDS,
        habits=_HABITS,
        lease=_LEASE_SECONDS,
        sweep=_SWEEP_SECONDS,
    )
    faults = _waves(form.seed, waves)
    here = folder / f"{NAME}-seed-{form.seed}"
    history = await campaign(settings, faults, here)
    case = Case(history)
    effective = [fault for fault in history.faults if _taken(case, fault)]
    refused = sum(_refused(here, fault) for fault in effective)
    print(
        f"{len(history.faults)} freezes, {len(effective)} with work taken over; {refused} refused"
    )
    further = [line for fault in history.faults for line in _left(case, fault)]
    if not refused:
        further.append("no frozen worker ever tried to end what others had taken")
    return verdict(NAME, history, here / "history", injected=len(effective), further=further)


def _waves(seed: int, waves: int) -> list[Planned]:
    chance = random.Random(f"{seed} freezes")
    return [
        Planned(
            at=round(wave * WAVE_SECONDS + chance.uniform(0.5, 1.5), 3),
            kind="freeze",
            target=target,
            seconds=round(chance.uniform(*_FROZEN_SECONDS), 3),
        )
        for wave in range(waves)
        for target in _WORKERS
    ]


def _taken(case: Case, fault: Fault) -> list[str]:
    """The runs in the frozen worker's hands that were taken from it before it thawed."""
    ended_at = fault.ended_at or fault.began_at
    gone = {run: _gone(case, fault, run) for run in fault.detail["held"]}
    return [run for run, by in gone.items() if by and by.at < ended_at and _lost(by)]


def _left(case: Case, fault: Fault) -> Iterator[str]:
    """The runs that stayed in its hands for longer than it may take to notice."""
    for run in fault.detail["held"]:
        by = _gone(case, fault, run)
        if by is None or by.at > fault.began_at + _PICK_UP_SECONDS:
            yield f"pick-up: {fault.target} was frozen and kept {case.runs[run]}"


def _gone(case: Case, fault: Fault, run: str) -> Entry | None:
    """What took that run from the frozen worker, or the ending that it had sent just before."""
    token = fault.detail["held"][run]
    mine = (each for each in case.runs[run].updates if (each.old or {})["lease_token"] == token)
    return next((each for each in mine if _lost(each) or (each.new or {})["finished_at"]), None)


def _lost(entry: Entry) -> bool:
    old, new = entry.old or {}, entry.new or {}
    return bool(new["lost_count"] > old["lost_count"])


def _refused(folder: Path, fault: Fault) -> int:
    """How many endings of what it held the store refused from this worker."""
    log = (folder / f"{fault.target}.log").read_text(encoding="utf-8", errors="replace")
    refusals = [line for line in log.splitlines() if "scheduler.run.refused" in line]
    return sum(
        any(f"runId={UUID(run)}" in line for line in refusals) for run in fault.detail["held"]
    )
