"""SIGTERM of each process in turn as schedules fall due, and a new one in its place.

The lease is long here: what a leaving process hands back must be started elsewhere before any
lease could have ended.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.faults.campaign import campaign, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.judge.case import Case, Run
from tests.faults.judge.history import Entry, Fault
from tests.faults.world.clients import Habits
from tests.faults.world.faults import Planned
from tests.faults.world.system import Settings

NAME = "rolling"
SHORT_LEAVES = 5
LONG_LEAVES = 55
EVERY_SECONDS = 2.0
MOVED_SECONDS = 2.0
_GRACE_SECONDS = 5.0
_ORDER = ("worker-1", "service-1", "worker-2", "service-2", "worker-3")


def mixed_work(chance: random.Random) -> dict[str, Any]:
    """Quick work, which lets a worker claim ahead of its slots, and some that fills them."""
    return {"delay": 0.0 if chance.random() < 0.6 else round(chance.uniform(0.3, 1.5), 3)}


_HABITS = Habits(schedules=20, pace=0.3, work=mixed_work, longest=2, one_shots=0.1)


async def run(form: Form, folder: Path) -> Verdict:
    """One process leaves after the other, round and round."""
    leaves = LONG_LEAVES if form.long else SHORT_LEAVES
    settings = Settings(
        seed=form.seed,
        seconds=leaves * EVERY_SECONDS + 1,
        habits=_HABITS,
        lease=20.0,
        sweep=1.0,
        grace=_GRACE_SECONDS,
        slots=3,
    )
    chance = random.Random(f"{form.seed} rolling")
    faults = [
        Planned(
            at=1 + n * EVERY_SECONDS,
            kind="leave",
            target=_ORDER[n % len(_ORDER)],
            seconds=round(chance.uniform(0, 0.05), 3),
        )
        for n in range(leaves)
    ]
    here = folder / f"{NAME}-seed-{form.seed}"
    history = await campaign(settings, faults, here)
    case = Case(history)
    moved = [gap for fault in history.faults for gap in _handed_over(case, fault)]
    print(f"{len(moved)} runs changed hands, the slowest in {max(moved, default=0.0):.2f} s")
    return verdict(
        NAME,
        history,
        here / "history",
        injected=len(history.faults),
        further=[line for fault in history.faults for line in _broken(case, fault)],
    )


def _broken(case: Case, fault: Fault) -> Iterator[str]:
    """What a leaving process must not do: fail, take too long, lose work, or sit on it."""
    who = f"{fault.target}, pid {fault.detail['pid']}"
    if fault.detail["code"] != 0:
        yield f"rolling: {who} ended with {fault.detail['code']}"
    if fault.detail["took"] > _GRACE_SECONDS + 1:
        yield f"rolling: {who} took {fault.detail['took']:.1f} s to end"
    for gap in _handed_over(case, fault):
        if gap > MOVED_SECONDS:
            yield f"rolling: what {who} handed back was started {gap:.1f} s after SIGTERM"
    for run in _lost(case, fault):
        yield f"rolling: {run} was lost although {who} ended by itself"


def _handed_over(case: Case, fault: Fault) -> Iterator[float]:
    """For each run handed back unstarted, the seconds from SIGTERM until another worker took it."""
    for run in case.runs.values():
        for entry, following in pairwise(run.entries()):
            if _returned(case, fault, entry):
                yield following.at - fault.began_at


def _returned(case: Case, fault: Fault, entry: Entry) -> bool:
    old, new = entry.old, entry.new
    if old is None or new is None or (old["status"], new["status"]) != ("running", "queued"):
        return False
    mine = case.pid_of.get(old["worker_id"]) == fault.detail["pid"]
    return mine and entry.at >= fault.began_at and new["attempt"] == old["attempt"]


def _lost(case: Case, fault: Fault) -> Iterator[Run]:
    """Runs that were taken from the leaving process because its lease ended or it was gone."""
    for run in case.runs.values():
        for entry in run.updates:
            old, new = entry.old or {}, entry.new or {}
            mine = case.pid_of.get(old.get("worker_id") or "") == fault.detail["pid"]
            if mine and new["lost_count"] > old["lost_count"]:
                yield run
