"""kill -9 of a random process every two seconds, under load and while old runs are pruned."""

from __future__ import annotations

from pathlib import Path

from tests.faults.campaign import campaign, together, verdict
from tests.faults.forms import Form, Verdict
from tests.faults.judge.history import History
from tests.faults.world.clients import Habits
from tests.faults.world.faults import spread
from tests.faults.world.system import Settings

NAME = "kills"
EVERY_SECONDS = 2.0
SHORT_KILLS = 9
LONG_KILLS = 105
LONG_ROUNDS = 5
_VICTIMS = ("service-1", "service-2", "worker-1", "worker-2", "worker-3")
_SHORT_HABITS = Habits(schedules=10, pace=0.2)
_LONG_HABITS = Habits(schedules=22, pace=0.3, longest=3, one_shots=0.1)


async def run(form: Form, folder: Path) -> Verdict:
    """One campaign, or several when the form is long: each can be judged by itself."""
    rounds = LONG_ROUNDS if form.long else 1
    return together([await _round(form, form.seed + n, folder) for n in range(rounds)])


async def _round(form: Form, seed: int, folder: Path) -> Verdict:
    kills = LONG_KILLS if form.long else SHORT_KILLS
    settings = Settings(
        seed=seed,
        seconds=kills * EVERY_SECONDS,
        habits=_LONG_HABITS if form.long else _SHORT_HABITS,
        retention=6.0,
        prune_every=1.0,
    )
    faults = spread(seed, ["kill"], _VICTIMS, kills, EVERY_SECONDS)
    here = folder / f"{NAME}-seed-{seed}"
    history = await campaign(settings, faults, here)
    return verdict(
        NAME,
        history,
        here / "history",
        injected=len(history.faults),
        further=[] if _pruned(history) else ["no ended run was pruned"],
    )


def _pruned(history: History) -> int:
    return sum(entry.table == "runs" and entry.new is None for entry in history.journal)
