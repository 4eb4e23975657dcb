"""Connections to the database that break, hang or lose a commit, while the database is well.

Invariant: a campaign counts only what was really done: a broken connection that carried nothing,
or a moment in which nothing was committed, is no fault.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.campaign import campaign, together, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.judge.history import Fault, History
from tests.faults.world.clients import Habits
from tests.faults.world.faults import Planned, spread
from tests.faults.world.system import Settings

NAME = "network"
_TARGETS = ("service-1", "service-2", "worker-1", "worker-2", "worker-3")
_SHORT = {"reset": 4, "stall": 2, "unsent": 4, "unanswered": 4}
_LONG = {"reset": 100, "stall": 50, "unsent": 100, "unanswered": 100}
_ROUNDS = 5
_SECONDS = {"reset": 0.0, "stall": 3.0, "unsent": 1.0, "unanswered": 1.0}
_PACE = {"reset": 3.0, "stall": 6.0, "unsent": 3.0, "unanswered": 3.0}
_HABITS = Habits(schedules=6, pace=0.2, longest=3)


async def run(form: Form, folder: Path) -> Verdict:
    """All kinds at once, each with a pace of its own; the long form in several campaigns."""
    rounds = _ROUNDS if form.long else 1
    return together([await _round(form, n, folder / f"{NAME}-{n + 1}") for n in range(rounds)])


async def _round(form: Form, number: int, folder: Path) -> Verdict:
    counts = {k: n // _ROUNDS for k, n in _LONG.items()} if form.long else _SHORT
    seed = form.seed + number
    settings = Settings(
        seed=seed,
        seconds=max(count * _PACE[kind] for kind, count in counts.items()),
        proxied=True,
        habits=_HABITS,
    )
    history = await campaign(settings, _planned(seed, counts), folder)
    done = Counter(fault.kind for fault in history.faults if _felt(fault))
    print(", ".join(f"{count} {kind}" for kind, count in sorted(done.items())))
    missing = [kind for kind in counts if not done[kind]]
    return verdict(
        NAME,
        history,
        folder / "history",
        injected=done.total(),
        further=[*(f"no {kind} happened" for kind in missing), *_traces(history)],
    )


def _planned(seed: int, counts: dict[str, int]) -> list[Planned]:
    return [
        planned
        for number, (kind, count) in enumerate(counts.items())
        for planned in spread(
            seed + number, [kind], _TARGETS, count, _PACE[kind], (_SECONDS[kind],) * 2
        )
    ]


def _felt(fault: Fault) -> bool:
    """Whether it met anything: a connection, some bytes or a commit."""
    return any(fault.detail.values())


def _traces(history: History) -> list[str]:
    return [] if history.operations else ["no client wrote anything"]
